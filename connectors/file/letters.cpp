#include "file/letters.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <string_view>

#include "file/names.hpp"
#include "record/header_json.hpp"
#include "record/json_text.hpp"
#include "record/parts.hpp"

namespace semel::file {

namespace {

constexpr std::string_view headers_column = "headers";

void append_member(std::string& line, std::string_view name) {
  line += line.size() > 1 ? "," : "";
  record::append_json_string(line, name);
  line += ':';
}

void append_bytes(std::string& line, std::string_view name, const std::string& bytes) {
  if (record::bytes_value(bytes, false).flaw != record::Flaw::invalid_utf8) {
    append_member(line, name);
    record::append_json_string(line, bytes);
  } else {
    append_member(line, fmt::format("{}_base64", name));
    record::append_json_string(line, record::base64(bytes));
  }
}

/// All letters of an output begin so.
std::string beginning(const store::Row& row) {
  const auto& columns = store::dead_letters().columns;
  std::string line = "{";
  for (std::size_t i = 0; i < 2; ++i) {
    append_member(line, columns[i].name);
    record::append_json_string(line, std::get<std::string>(row[i]));
  }
  return line;
}

}  // namespace

std::string letter_line(const store::Row& row) {
  auto line = beginning(row);
  const auto& columns = store::dead_letters().columns;
  for (std::size_t i = 2; i < row.size(); ++i) {
    const auto& name = columns[i].name;
    if (const auto* number = std::get_if<std::int64_t>(&row[i])) {
      append_member(line, name);
      line += std::to_string(*number);
    } else if (const auto* text = std::get_if<std::string>(&row[i])) {
      append_member(line, name);
      if (name == headers_column) {
        line += *text;  // is JSON
      } else {
        record::append_json_string(line, *text);
      }
    } else if (const auto* bytes = std::get_if<store::Bytes>(&row[i])) {
      append_bytes(line, name, bytes->bytes);
    }
  }
  return line + "}\n";
}

Result<std::uint64_t> count_letters(Place& place, const store::Row& prefix) {
  const std::string name(dead_letters_directory);
  const auto directory = directory_in(place.directory(), name, place.shown(name), false);
  if (!directory) return std::uint64_t{0};
  std::vector<std::string> files;
  if (!names_in(directory->get(), files)) return system_error(place.shown(name), errno);
  const auto wanted = beginning(prefix) + ",";
  std::uint64_t letters = 0;
  std::string text;
  for (const auto& file : files) {
    const Fd fd(openat(directory->get(), file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd || !read_all(fd.get(), text)) continue;  // taken away meanwhile, or no file at all
    for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos;
         at = end + 1) {
      letters += text.compare(at, wanted.size(), wanted) == 0 ? 1 : 0;
    }
  }
  return letters;
}

}  // namespace semel::file
