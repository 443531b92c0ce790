// What of semel a program may link to: everything else stays inside the library.
#pragma once

#if __cplusplus < 202002L
#error "semel needs C++20: compile with -std=c++20"
#endif

/// On a class or a function that users call, derive from or catch: its symbol leaves libsemel.so,
/// whose symbols are hidden otherwise. An exception or a class with virtual functions that crosses
/// the border needs it, or its type is another one on the other side.
#define SEMEL_API __attribute__((visibility("default")))
