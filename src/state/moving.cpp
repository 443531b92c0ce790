#include "state/moving.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <string_view>

#include "state/directory.hpp"

namespace semel::state {

namespace {

// Stored: do not change. The name of the note beside the state, its first line, and the words of
// With in their order.
constexpr std::string_view ending = ".moving";
constexpr std::string_view first_line = "semel moves positions and state 1";
constexpr std::array<std::string_view, 3> words{"keep", "empty", "rewind"};

std::string path_of(const std::string& directory) {
  return directory + std::string(ending);
}

std::string encode(const Moving& moving) {
  auto text = fmt::format("{}\n{}\n{} {} {} {} {}\n", first_line, moving.command,
                          words[static_cast<std::size_t>(moving.with)], moving.from.time.ms,
                          moving.from.name, moving.to.time.ms, moving.to.name);
  for (const auto& one : moving.positions) {
    text += fmt::format("{} {} {}\n", one.tp.topic, one.tp.partition, one.until);
  }
  return text + "end\n";
}

std::optional<Moving> decode(std::istream& text) {
  std::string line;
  Moving moving;
  if (!std::getline(text, line) || line != first_line) return std::nullopt;
  if (!std::getline(text, moving.command)) return std::nullopt;
  std::string word;
  text >> word >> moving.from.time.ms >> moving.from.name >> moving.to.time.ms >> moving.to.name;
  const auto with = std::ranges::find(words, word);
  if (!text || with == words.end()) return std::nullopt;
  moving.with = static_cast<With>(with - words.begin());
  while (text >> word && word != "end") {
    Progress one{.tp = {word, 0}, .last = std::nullopt};
    if (text >> one.tp.partition >> one.until) moving.positions.push_back(std::move(one));
  }
  if (!text) return std::nullopt;
  return moving;
}

}  // namespace

Result<std::optional<Moving>> read_moving(const std::string& directory) {
  errno = 0;
  std::ifstream file(path_of(directory));
  if (!file && errno == ENOENT) return std::optional<Moving>();
  auto moving = decode(file);
  if (moving) return moving;
  return fail(ErrorKind::fatal, Cause::state,
              fmt::format("{} cannot be read, and says that an operator was moving the outputs and "
                          "the state together: look at `semel offsets FILE show` of each output, "
                          "mend what is apart, and remove it",
                          path_of(directory)));
}

Result<void> write_moving(const std::string& directory, const Moving& moving) {
  const auto text = encode(moving);
  return write_whole(path_of(directory), &text);
}

Result<void> end_moving(const std::string& directory) {
  return write_whole(path_of(directory), nullptr);
}

Result<void> nothing_begun(const std::string& directory) {
  const auto moving = read_moving(directory);
  if (!moving) return tl::unexpected(moving.error());
  if (*moving) return unfinished(directory, **moving);
  return {};
}

tl::unexpected<Error> unfinished(const std::string& directory, const Moving& moving) {
  return fail(ErrorKind::fatal, Cause::state,
              fmt::format("positions and the state in {} were being moved together, and that did "
                          "not end: some outputs may have moved, and others not. Repeat it: `{}`",
                          directory, moving.command));
}

}  // namespace semel::state
