// JSON lines, and CSV by RFC 4180.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "file/encode.hpp"
#include "record/json_text.hpp"
#include "record/spell.hpp"

namespace semel::file {

namespace {

using record::Kind;
using record::Value;

constexpr std::string_view line_end = "\r\n";  // RFC 4180's

/// JSON in one line: what ends one stands between its tokens only, where any white space will do.
void append_in_one_line(std::string& out, std::string_view json) {
  const auto at = static_cast<std::ptrdiff_t>(out.size());
  out.append(json);
  // Not find_first_of(), which asks at each byte anew: that was a third of all that a record costs.
  const auto has = [&](char c) { return json.find(c) != std::string_view::npos; };
  if (!has('\n') && !has('\r')) return;
  std::replace_if(
      out.begin() + at, out.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
}

bool needs_quotes(char c) {
  return c == ',' || c == '"' || c == '\r' || c == '\n';
}

class JsonRecords final : public RowWriter {
 public:
  std::optional<Refusal> row(std::span<const Value> values, std::string& out) override {
    append_in_one_line(out, values.front().json);
    out += '\n';
    return std::nullopt;
  }
};

class JsonLines final : public RowWriter {
 public:
  explicit JsonLines(const std::vector<FileColumn>& columns) : columns_(columns) {
    for (const auto& column : columns)
      record::append_json_string(names_.emplace_back(), column.name);
  }

  std::optional<Refusal> row(std::span<const Value> values, std::string& out) override {
    const auto at = out.size();
    out += '{';
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (values[i].kind == Kind::absent) continue;
      if (out.back() != '{') out += ',';
      out += names_[i];
      out += ':';
      if (auto why = append(values[i], columns_[i].type, out); !why.empty()) {
        out.resize(at);
        return Refusal{i, std::move(why)};
      }
    }
    out += "}\n";
    return std::nullopt;
  }

 private:
  /// Why it is refused; empty: it is not.
  std::string append(const Value& value, Type type, std::string& out) {
    if (type == Type::any) return append_any(value, out);
    const auto cell = cell_of(value, type, scratch_);
    switch (cell.kind) {
      case Cell::Kind::null:
        out += "null";
        break;
      case Cell::Kind::integer:
        fmt::format_to(std::back_inserter(out), "{}", cell.integer);
        break;
      case Cell::Kind::real:
        fmt::format_to(std::back_inserter(out), "{}", cell.real);
        break;
      case Cell::Kind::boolean:
        out += cell.integer != 0 ? "true" : "false";
        break;
      case Cell::Kind::text:
        record::append_json_string(out, cell.text);
        break;
      case Cell::Kind::moment:
        record::append_json_string(out, moment_text(cell.integer, other_));
        break;
      case Cell::Kind::refused:
        return std::string(cell.text);
    }
    return {};
  }

  std::string append_any(const Value& value, std::string& out) {
    const auto spelled = record::is_typed(value.kind) ? record::spell(value, scratch_) : value;
    if (spelled.kind == Kind::null) {
      out += "null";
    } else if (!spelled.json.empty()) {
      append_in_one_line(out, spelled.json);
    } else if (spelled.flaw == record::Flaw::invalid_utf8) {
      return "the bytes are no UTF-8";
    } else if (spelled.kind == Kind::number || spelled.kind == Kind::boolean ||
               spelled.kind == Kind::instant || spelled.kind == Kind::nested) {
      append_in_one_line(out, spelled.text);
    } else {
      record::append_json_string(out, spelled.text);
    }
    return {};
  }

  std::vector<FileColumn> columns_;
  std::vector<std::string> names_;
  std::string scratch_;
  std::string other_;
};

class Csv final : public RowWriter {
 public:
  explicit Csv(const std::vector<FileColumn>& columns) : columns_(columns) {}

  void begin(std::string& out) override {
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (i > 0) out += ',';
      append(columns_[i].name, out);
    }
    out += line_end;
  }

  std::optional<Refusal> row(std::span<const Value> values, std::string& out) override {
    const auto at = out.size();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (i > 0) out += ',';
      const auto cell = cell_of(values[i], columns_[i].type, scratch_);
      if (cell.kind == Cell::Kind::refused) {
        out.resize(at);
        return Refusal{i, std::string(cell.text)};
      }
      append(cell, out);
    }
    // One empty column would be an empty line, which many skip.
    if (out.size() == at && columns_.size() == 1) out += "\"\"";
    out += line_end;
    return std::nullopt;
  }

 private:
  void append(const Cell& cell, std::string& out) {
    switch (cell.kind) {
      case Cell::Kind::integer:
        fmt::format_to(std::back_inserter(out), "{}", cell.integer);
        break;
      case Cell::Kind::real:
        fmt::format_to(std::back_inserter(out), "{}", cell.real);
        break;
      case Cell::Kind::boolean:
        out += cell.integer != 0 ? "true" : "false";
        break;
      case Cell::Kind::text:
        append(cell.text, out);
        break;
      case Cell::Kind::moment:
        append(moment_text(cell.integer, other_), out);
        break;
      case Cell::Kind::null:
      case Cell::Kind::refused:
        break;
    }
  }

  /// An empty text is "", and what is absent or null is nothing at all.
  static void append(std::string_view text, std::string& out) {
    if (!text.empty() && std::ranges::none_of(text, needs_quotes)) {
      out += text;
      return;
    }
    out += '"';
    for (const char c : text) {
      if (c == '"') out += '"';
      out += c;
    }
    out += '"';
  }

  std::vector<FileColumn> columns_;
  std::string scratch_;
  std::string other_;
};

}  // namespace

std::unique_ptr<RowWriter> json_lines(const std::vector<FileColumn>& columns) {
  if (columns.empty()) return std::make_unique<JsonRecords>();
  return std::make_unique<JsonLines>(columns);
}

std::unique_ptr<RowWriter> csv(const std::vector<FileColumn>& columns) {
  return std::make_unique<Csv>(columns);
}

}  // namespace semel::file
