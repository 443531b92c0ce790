// What is closed of standard input, output and error.
#pragma once

namespace semel {

/// For main(), before anything else: what is closed of them is taken, so that no file or socket of
/// the program gets its number, and what somebody prints. Reading and writing there goes on to
/// fail (EBADF).
void hold_standard_descriptors() noexcept;

}  // namespace semel
