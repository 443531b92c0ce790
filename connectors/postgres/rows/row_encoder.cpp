#include "postgres/rows/row_encoder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "formats/json/explain.hpp"
#include "formats/json/json_reader.hpp"
#include "postgres/encode/column_plan.hpp"
#include "postgres/encode/column_sets.hpp"
#include "postgres/encode/wire.hpp"
#include "record/parts.hpp"

namespace semel::postgres {
namespace {

using encode::ColumnPlan;
using encode::Holds;
using encode::Kind;
using encode::Refusal;
using encode::Source;
using encode::Value;
using record::Fault;

constexpr std::size_t kShownBytes = 60;

/// What PostgreSQL would have said.
const char* sqlstate_of(Fault fault) {
  switch (fault) {
    case Fault::no_value:
      return "22004";  // null_value_not_allowed
    case Fault::malformed:
    case Fault::unfit:
      return "22P02";  // invalid_text_representation
    case Fault::nothing_found:
    case Fault::unknown_field:
      return "42703";  // undefined_column
    case Fault::missing:
      return "23502";  // not_null_violation
    case Fault::duplicate:
      return "23505";  // unique_violation
    case Fault::refused:
      break;
  }
  return "XX000";  // internal_error
}

/// The beginning of a value for people: as JSON has it, bytes that are no text in hexadecimal.
std::string shown(const Value& value) {
  const bool text = !value.json.empty() || value.flaw == encode::Flaw::none;
  std::string_view whole = value.json.empty() ? value.text : value.json;
  std::string_view part = whole.substr(0, text ? kShownBytes : kShownBytes / 2);
  if (text && part.size() < whole.size()) {
    // Not in the middle of a character.
    while (!part.empty() && (whole[part.size()] & 0xC0) == 0x80) part.remove_suffix(1);
  }
  std::string result;
  if (text) {
    result = value.json.empty() ? fmt::format("\"{}\"", part) : std::string(part);
  } else {
    result = "\\x";
    for (const char c : part) fmt::format_to(std::back_inserter(result), "{:02x}", c & 0xFF);
  }
  if (part.size() < whole.size()) result += fmt::format("... ({} bytes)", whole.size());
  return result;
}

}  // namespace

struct RowEncoder::Impl {
  std::vector<ColumnPlan> columns;
  bool binary = true;
  Options options;
  bool needs_json = false;
  std::vector<std::size_t> part_columns;  ///< those that are mapped to a part of the record
  std::vector<std::size_t> path_columns;  ///< the others: from a place in its JSON
  std::vector<std::string> own_names;     ///< of columns that come from a member of their name
  bool stores_whole_value = false;        ///< a column does: nothing of a record can be lost
  record::PathTree tree;
  formats::JsonReader reader;
  formats::JsonReader checker;  ///< for JSON from elsewhere: `reader` holds the record's values
  record::RecordParts parts;
  std::vector<Value> values;  ///< by column
  encode::ColumnSets sets;
  std::string left_out;  ///< of the current row, as ColumnSets has it
  std::string text;
  BadRecord bad;

  Result<void> prepare(const Table& table, const Options& with);
  bool read_json(const Record& record, Encoded& encoded);
  /// Whether no path led to anything, not even to null.
  bool nothing_found() const {
    return std::ranges::none_of(path_columns,
                                [&](std::size_t i) { return values[i].kind != Kind::absent; });
  }
  bool append_row(const std::string_view& value, std::string& out);
  bool append_column(ColumnPlan& column, const Value& value, std::string& out, bool first);
  bool append_default(ColumnPlan& column, std::string& out, bool first);
  void append_null(std::string& out, bool first) const;

  bool refuse(Fault fault, std::string reason) {
    bad = {.fault = fault, .code = sqlstate_of(fault), .reason = std::move(reason)};
    return false;
  }
  bool refuse(const ColumnPlan& column, Fault fault, const char* sqlstate, std::string_view why) {
    bad = {.fault = fault,
           .column = column.name,
           .code = sqlstate,
           .reason = fmt::format("column \"{}\" ({}): {}", column.name, column.type_name, why)};
    return false;
  }
  bool refuse_missing(const ColumnPlan& column, std::string_view why) {
    return refuse(column, Fault::missing, sqlstate_of(Fault::missing), why);
  }
};

Result<void> RowEncoder::Impl::prepare(const Table& table, const Options& with) {
  options = with;
  auto plan = encode::plan_columns(table, options,
                                   [this](std::string_view text) { return checker.is_json(text); });
  if (!plan) return tl::unexpected(plan.error());
  columns = std::move(plan->columns);
  binary = plan->binary;
  values.resize(columns.size());
  std::size_t changing = 0;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const ColumnPlan& column = columns[i];
    if (column.mapping.source == Source::path) {
      tree.add(column.mapping.path, static_cast<std::uint32_t>(i));
      path_columns.push_back(i);
      needs_json = true;
      stores_whole_value = stores_whole_value || column.mapping.path.empty();
      if (!options.columns.contains(column.name)) own_names.push_back(column.name);
    } else {
      stores_whole_value = stores_whole_value || column.mapping.source == Source::value;
      part_columns.push_back(i);
    }
    if (column.default_kind == DefaultKind::changing && column.may_be_absent()) ++changing;
  }
  left_out.assign(changing, '\0');
  sets = encode::ColumnSets(changing);
  return {};
}

bool RowEncoder::Impl::read_json(const Record& record, Encoded& encoded) {
  if (!reader.read(*record.value, tree, values)) {
    return refuse(Fault::malformed, formats::why_not_an_object(*record.value, reader.error(),
                                                               [this](std::string_view text) {
                                                                 return checker.is_json(text);
                                                               }));
  }
  if (nothing_found() && !stores_whole_value && !formats::is_empty_object(*record.value)) {
    return refuse(Fault::nothing_found, formats::why_no_column(*record.value, own_names));
  }
  encoded.unknown_fields = reader.unknown_fields();
  if (encoded.unknown_fields != 0 &&
      options.policy.unknown_fields == record::UnknownFields::dead_letter) {
    return refuse(Fault::unknown_field,
                  fmt::format("the table has no column for member {} (unknown_fields = "
                              "\"dead_letter\")",
                              shown({.text = reader.unknown_field()})));
  }
  return true;
}

void RowEncoder::Impl::append_null(std::string& out, bool first) const {
  if (binary) {
    encode::append_null_field(out);
  } else {
    out += first ? "\\N" : "\t\\N";
  }
}

bool RowEncoder::Impl::append_default(ColumnPlan& column, std::string& out, bool first) {
  if (column.default_kind == DefaultKind::none) {
    if (column.not_null) {
      return refuse_missing(
          column,
          fmt::format("{}, and it is NOT NULL without a default",
                      column.written.empty() ? "the record has no value for it"
                                             : "the record has nothing at " + column.written));
    }
    append_null(out, first);
    return true;
  }
  if (!column.default_field) {
    return refuse(column, Fault::refused, "XX000",
                  "its default was not evaluated: please report this");
  }
  if (column.default_is_null && column.not_null) {
    return refuse_missing(
        column, "the record has no value for it, its default is null, and it is NOT NULL");
  }
  if (!binary && !first) out += '\t';
  out.append(*column.default_field);
  return true;
}

bool RowEncoder::Impl::append_column(ColumnPlan& column, const Value& value, std::string& out,
                                     bool first) {
  if (value.kind == Kind::null) {
    if (column.not_null) return refuse_missing(column, "null, and it is NOT NULL");
    append_null(out, first);
    return true;
  }
  Refusal refusal;
  if (binary) {
    refusal = column.encoder->binary(value, out);
  } else {
    text.clear();
    refusal = column.encoder->text(value, text);
    if (!refusal) {
      if (!first) out += '\t';
      encode::append_copy_escaped(out, text);
    }
  }
  if (refusal) {
    refuse(column, Fault::unfit, refusal.sqlstate, fmt::format("{} {}", shown(value), refusal.why));
    bad.told =
        fmt::format("column \"{}\" ({}): its value {}", column.name, column.type_name, refusal.why);
    return false;
  }
  return true;
}

bool RowEncoder::Impl::append_row(const std::string_view& value, std::string& out) {
  const std::size_t start = out.size();
  if (binary) encode::append_integer(out, std::int16_t{0});
  for (const std::size_t i : part_columns) {
    const ColumnPlan& column = columns[i];
    values[i] = parts.get(column.mapping, column.holds == Holds::bytes);
    // The value as a whole has been checked where other columns came from its JSON.
    if (needs_json && column.mapping.source == Source::value && column.holds == Holds::json) {
      values[i] = {.kind = Kind::nested, .text = value, .json = value};
    }
  }
  std::int16_t count = 0;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    ColumnPlan& column = columns[i];
    if (column.default_kind == DefaultKind::changing && column.may_be_absent()) {
      const bool absent = values[i].kind == Kind::absent;
      left_out[column.changing] = absent ? '\1' : '\0';
      if (absent) continue;
    }
    const bool first = count++ == 0;
    if (values[i].kind == Kind::absent ? !append_default(column, out, first)
                                       : !append_column(column, values[i], out, first)) {
      return false;
    }
  }
  if (binary) {
    const auto bytes = encode::big_endian(count);
    out.replace(start, bytes.size(), bytes.data(), bytes.size());
  } else {
    out += '\n';
  }
  return true;
}

RowEncoder::RowEncoder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RowEncoder::RowEncoder(RowEncoder&&) noexcept = default;
RowEncoder& RowEncoder::operator=(RowEncoder&&) noexcept = default;
RowEncoder::~RowEncoder() = default;

Result<RowEncoder> RowEncoder::make(const Table& table, const Options& options, bool for_people) {
  auto impl = std::make_unique<Impl>();
  if (const auto prepared = impl->prepare(table, options); !prepared) {
    return tl::unexpected(prepared.error());
  }
  if (for_people) impl->binary = false;
  return RowEncoder(std::move(impl));
}

CopyFormat RowEncoder::format() const {
  return impl_->binary ? CopyFormat::binary : CopyFormat::text;
}

std::vector<std::size_t> RowEncoder::defaults_needed(DefaultKind kind) const {
  std::vector<std::size_t> needed;
  for (std::size_t i = 0; i < impl_->columns.size(); ++i) {
    const ColumnPlan& column = impl_->columns[i];
    if (column.default_kind == kind && column.may_be_absent()) needed.push_back(i);
  }
  return needed;
}

void RowEncoder::set_defaults(std::span<const DefaultValue> values) {
  for (const DefaultValue& value : values) {
    ColumnPlan& column = impl_->columns.at(value.column);
    std::string& field = column.default_field.emplace();
    column.default_is_null = !value.value;
    if (!value.value) {
      impl_->append_null(field, true);
    } else if (impl_->binary) {
      encode::append_field(field, *value.value);
    } else {
      encode::append_copy_escaped(field, *value.value);
    }
  }
}

std::vector<std::string> RowEncoder::columns_of(std::uint32_t column_set) const {
  const std::string& left_out = impl_->sets.left_out(column_set);
  std::vector<std::string> names;
  for (const ColumnPlan& column : impl_->columns) {
    const bool changing = column.default_kind == DefaultKind::changing && column.may_be_absent();
    if (!changing || left_out[column.changing] == '\0') names.push_back(column.name);
  }
  return names;
}

Encoded RowEncoder::encode(const TopicPartition& source, const Record& record, std::string& out) {
  Impl& impl = *impl_;
  Encoded encoded;
  if (!record.value) {
    if (impl.options.policy.tombstones == record::Tombstones::ignore) {
      encoded.status = EncodeStatus::ignored;
      return encoded;
    }
    impl.refuse(Fault::no_value, "the record has no value (tombstones = \"dead_letter\")");
    encoded.status = EncodeStatus::bad;
    return encoded;
  }
  for (Value& value : impl.values) value.kind = Kind::absent;
  impl.parts.start(source, record);
  const std::size_t start = out.size();
  if ((impl.needs_json && !impl.read_json(record, encoded)) ||
      !impl.append_row(*record.value, out)) {
    out.resize(start);
    encoded.status = EncodeStatus::bad;
    return encoded;
  }
  if (!impl.left_out.empty()) encoded.column_set = impl.sets.number_of(impl.left_out);
  return encoded;
}

const BadRecord& RowEncoder::bad() const {
  return impl_->bad;
}

std::string_view RowEncoder::copy_begin() const {
  using namespace std::string_view_literals;
  return impl_->binary ? "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"sv : ""sv;
}

std::string_view RowEncoder::copy_end() const {
  using namespace std::string_view_literals;
  return impl_->binary ? "\377\377"sv : ""sv;
}

}  // namespace semel::postgres
