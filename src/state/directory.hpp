// A state's directory as a whole: whether it is there, copied, or put in another one's place.
#pragma once

#include <cstdint>
#include <string>

#include <semel/error.hpp>

namespace semel::state {

/// Whether there is a state in it, whatever it is. An error where that cannot be seen.
Result<bool> has_state(const std::string& directory);

/// "process 4711 (count)": who has it, where nobody_has() refuses.
std::string who_has(const std::string& directory);
/// Refused where a process has it; this one must not have it open.
Result<void> nobody_has(const std::string& directory);

/// A name beside it that is not there yet: "DIRECTORY.WORD-20260131T120000Z".
std::string beside(const std::string& directory, const std::string& word, std::int64_t now_ms);

/// The files of a copy of a state, such as Store::checkpoint() makes, into a directory that is not
/// there yet. Durable when it returns. Refused while a process has it.
Result<void> copy_state(const std::string& from, const std::string& to);

/// `made` takes the place of `directory`, which goes to `aside`, if it is there: all on one file
/// system. Whoever opens it meanwhile finds the one or the other. Refused while a process has it;
/// this one must not have it open.
Result<void> put_in_place(const std::string& made, const std::string& directory,
                          const std::string& aside);

/// A file's content, all of it or what was there before, durable when it returns. Nothing: it goes.
Result<void> write_whole(const std::string& path, const std::string* content);

}  // namespace semel::state
