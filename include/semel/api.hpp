// What of semel a program may link to: everything else stays inside the library.
#pragma once

/// On a class or a function that users call, derive from or catch: its symbol leaves libsemel.so,
/// whose symbols are hidden otherwise. An exception or a class with virtual functions that crosses
/// the border needs it, or its type is another one on the other side.
#define SEMEL_API __attribute__((visibility("default")))
