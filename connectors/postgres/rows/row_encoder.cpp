#include "postgres/rows/row_encoder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include "formats/json/json_reader.hpp"
#include "postgres/encode/column_plan.hpp"
#include "postgres/encode/column_sets.hpp"
#include "postgres/encode/wire.hpp"
#include "record/elements.hpp"
#include "record/spell.hpp"

namespace semel::postgres {
namespace {

using encode::ColumnPlan;
using encode::Kind;
using encode::Refusal;
using encode::Value;
using record::Fault;

}  // namespace

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
    case Fault::objection:
      break;
  }
  return "XX000";  // internal_error
}

struct RowEncoder::Impl {
  std::vector<ColumnPlan> columns;
  bool binary = true;
  std::optional<record::Reader> reader;
  std::optional<record::Elements> elements;  ///< instead: rows of an array
  formats::JsonReader checker;               ///< for JSON that the record's format has not checked
  encode::ColumnSets sets;
  std::string left_out;          ///< of the current row, as ColumnSets has it
  bool staged = false;           ///< rows go by way of a temporary table
  std::string table_name;        ///< for people
  std::int64_t number = 0;       ///< of the last of those
  std::set<std::uint32_t> used;  ///< sets of columns, since begin_rows()
  bool removals = false;         ///< likewise
  std::size_t varying = 0;       ///< columns that some of those sets lack
  std::string text;
  std::string spelled;  ///< a typed value
  BadRecord bad;

  Result<void> prepare(const Table& table, const Options& with);
  Result<void> read_as(std::vector<record::MappedColumn> mapped, const Options& options);
  const Value* values() const {
    return elements ? elements->values().data() : reader->values().data();
  }
  Encoded encode_row(const record::ReadRecord& read, std::string& out);
  bool append_row(std::string& out);
  bool append_staged(std::string& out, bool removal);
  std::vector<std::string> columns_of(std::uint32_t column_set) const;
  Staged staged_rows() const;
  bool append_key(std::string& out);
  void append_number(std::string& out, std::int64_t number, bool first) const;
  bool append_column(ColumnPlan& column, const Value& value, std::string& out, bool first);
  bool append_typed(ColumnPlan& column, const Value& value, std::string& out, bool first);
  /// What is in `text`, as a field of a row.
  void append_text(std::string& out, bool first) const {
    if (!first) out += '\t';
    encode::append_copy_escaped(out, text);
  }
  bool append_default(ColumnPlan& column, std::string& out, bool first);
  void append_null(std::string& out, bool first) const;

  void refuse(const BadRecord& read) {
    bad = read;
    bad.code = sqlstate_of(read.fault);
  }
  bool refuse(const ColumnPlan& column, Fault fault, const char* sqlstate, std::string_view why) {
    bad = {.fault = fault,
           .column = column.name,
           .code = sqlstate,
           .reason = fmt::format("column \"{}\" ({}): {}", column.name, column.type_name, why)};
    return false;
  }
  bool refuse(const ColumnPlan& column, const Value& value, const Refusal& refusal);
  bool refuse_missing(const ColumnPlan& column, std::string_view why) {
    return refuse(column, Fault::missing, sqlstate_of(Fault::missing), why);
  }
};

Result<void> RowEncoder::Impl::prepare(const Table& table, const Options& options) {
  auto plan = encode::plan_columns(table, options,
                                   [this](std::string_view text) { return checker.is_json(text); });
  if (!plan) return tl::unexpected(plan.error());
  if (options.policy.removes() && options.write != Write::upsert) {
    return fail(ErrorKind::fatal, Cause::configuration,
                "records that remove rows need write = \"upsert\"");
  }
  if (options.policy.tombstones == record::Tombstones::remove) {
    // A tombstone has no value.
    for (std::size_t i = 0; i < plan->columns.size(); ++i) {
      const auto& column = plan->columns[i];
      if (!column.of_key || plan->mapped[i].is_beside_value()) continue;
      return fail(
          ErrorKind::fatal, Cause::configuration,
          fmt::format("tombstones = \"delete\": column \"{0}\" of the key comes from {1}, and a "
                      "tombstone has no value. Take it from the record's key, in {2}: "
                      "{{ {0} = \"@key.{0}\" }}, or \"@key\" where the key is just that",
                      column.name,
                      column.written.empty() ? "the member of its name" : column.written,
                      encode::columns_setting));
    }
  }
  if (auto read = read_as(std::move(plan->mapped), options); !read) return read;
  columns = std::move(plan->columns);
  binary = plan->binary;
  staged = !table.stage.empty();
  table_name = fmt::format("{}.{}", table.schema, table.name);
  const auto changing = static_cast<std::size_t>(
      std::ranges::count_if(columns, [](const ColumnPlan& c) { return c.may_be_left_out; }));
  left_out.assign(changing, '\0');
  sets = encode::ColumnSets(changing);
  return {};
}

Result<void> RowEncoder::Impl::read_as(std::vector<record::MappedColumn> mapped,
                                       const Options& options) {
  if (options.path.empty()) {
    auto made =
        record::Reader::make(std::move(mapped), options.policy, *options.format,
                             encode::columns_setting, options.key_format.get(), options.also_known);
    if (!made) return tl::unexpected(made.error());
    reader = *std::move(made);
    return {};
  }
  auto made = record::Elements::make(std::move(mapped), options.policy, *options.format,
                                     encode::columns_setting, options.key_format.get(),
                                     options.path, options.also_known, options.also_known_inside);
  if (!made) return tl::unexpected(made.error());
  elements = *std::move(made);
  return {};
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
          fmt::format("{}, and it is {}",
                      column.written.empty() ? "the record has no value for it"
                                             : "the record has nothing at " + column.written,
                      column.of_key ? "of the key" : "NOT NULL without a default"));
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
  // One comparison for every value that is neither null nor typed.
  if (value.kind < Kind::boolean || record::is_typed(value.kind)) [[unlikely]] {
    if (value.kind != Kind::null) return append_typed(column, value, out, first);
    if (column.not_null) {
      return refuse_missing(
          column, column.of_key ? "null, and it is of the key" : "null, and it is NOT NULL");
    }
    append_null(out, first);
    return true;
  }
  Refusal refusal;
  if (binary) {
    refusal = column.encoder->binary(value, out);
  } else {
    text.clear();
    refusal = column.encoder->text(value, text);
    if (!refusal) append_text(out, first);
  }
  return refusal ? refuse(column, value, refusal) : true;
}

bool RowEncoder::Impl::append_typed(ColumnPlan& column, const Value& value, std::string& out,
                                    bool first) {
  text.clear();
  const Refusal refusal = column.encoder->typed(value, binary, binary ? out : text, spelled);
  if (!refusal && !binary) append_text(out, first);
  return refusal ? refuse(column, record::spell(value, spelled), refusal) : true;
}

bool RowEncoder::Impl::refuse(const ColumnPlan& column, const Value& value,
                              const Refusal& refusal) {
  refuse(column, Fault::unfit, refusal.sqlstate,
         fmt::format("{} {}", record::shown(value), refusal.why));
  bad.told =
      fmt::format("column \"{}\" ({}): its value {}", column.name, column.type_name, refusal.why);
  return false;
}

bool RowEncoder::Impl::append_row(std::string& out) {
  const std::size_t start = out.size();
  const Value* const all = values();
  if (binary) encode::append_integer(out, std::int16_t{0});
  std::int16_t count = 0;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    ColumnPlan& column = columns[i];
    if (column.may_be_left_out) {
      const bool absent = all[i].kind == Kind::absent;
      left_out[column.changing] = absent ? '\1' : '\0';
      if (absent) continue;
    }
    const bool first = count++ == 0;
    if (all[i].kind == Kind::absent ? !append_default(column, out, first)
                                    : !append_column(column, all[i], out, first)) {
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

std::vector<std::string> RowEncoder::Impl::columns_of(std::uint32_t column_set) const {
  const std::string& missing = sets.left_out(column_set);
  std::vector<std::string> names;
  for (const ColumnPlan& column : columns) {
    if (!column.may_be_left_out || missing[column.changing] == '\0') names.push_back(column.name);
  }
  return names;
}

Staged RowEncoder::Impl::staged_rows() const {
  Staged all{.sets = {}, .removals = removals};
  for (const auto set : used) all.sets.push_back({set, columns_of(set)});
  return all;
}

bool RowEncoder::Impl::append_key(std::string& out) {
  bool first = true;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (!columns[i].of_key) continue;
    const Value& value = values()[i];
    if (value.kind == Kind::absent ? !append_default(columns[i], out, first)
                                   : !append_column(columns[i], value, out, first)) {
      return false;
    }
    first = false;
  }
  out += '\n';
  return true;
}

void RowEncoder::Impl::append_number(std::string& out, std::int64_t written, bool first) const {
  if (binary) {
    if (first) {
      encode::append_field(out, written);
    } else {
      encode::append_field(out, static_cast<std::int32_t>(written));
    }
  } else {
    fmt::format_to(std::back_inserter(out), "{}{}", first ? "" : "\t", written);
  }
}

/// All columns have a field: what a row leaves to the server is null until it is merged. Of a
/// removal only the key counts.
bool RowEncoder::Impl::append_staged(std::string& out, bool removal) {
  const Value* const all = values();
  if (binary) encode::append_integer(out, static_cast<std::int16_t>(columns.size() + 2));
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].may_be_left_out) {
      left_out[columns[i].changing] = all[i].kind == Kind::absent ? '\1' : '\0';
    }
  }
  const auto set = sets.number_of(left_out);
  append_number(out, number + 1, true);
  append_number(out, removal ? -1 : static_cast<std::int64_t>(set), false);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    ColumnPlan& column = columns[i];
    const bool absent = all[i].kind == Kind::absent;
    if ((removal && !column.of_key) || (absent && column.may_be_left_out) || column.by_merging) {
      append_null(out, false);
    } else if (absent ? !append_default(column, out, false)
                      : !append_column(column, all[i], out, false)) {
      return false;
    }
  }
  if (!binary) out += '\n';
  ++number;
  if (removal) {
    removals = true;
  } else if (used.insert(set).second) {
    varying = staged_rows().varying().size();
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
  if (for_people) impl->binary = impl->staged = false;
  return RowEncoder(std::move(impl));
}

CopyFormat RowEncoder::format() const {
  return impl_->binary ? CopyFormat::binary : CopyFormat::text;
}

std::vector<std::size_t> RowEncoder::defaults_needed(DefaultKind kind) const {
  std::vector<std::size_t> needed;
  for (std::size_t i = 0; i < impl_->columns.size(); ++i) {
    const ColumnPlan& column = impl_->columns[i];
    if (column.default_kind == kind && column.may_be_absent) needed.push_back(i);
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
  return impl_->columns_of(column_set);
}

Encoded RowEncoder::Impl::encode_row(const record::ReadRecord& read, std::string& out) {
  Encoded encoded{.status = read.fate, .unknown_fields = read.unknown_fields};
  const std::size_t start = out.size();
  if (staged && (read.fate == Fate::row || read.fate == Fate::removal)) [[unlikely]] {
    encoded.status = Fate::row;
    encoded.removal = read.fate == Fate::removal;
    const bool appended = append_staged(out, encoded.removal);
    if (!appended) encoded.status = Fate::bad;
    // How they can be merged is settled by the rows together: none of them is bad.
    if (varying > Staged::varying_max) encoded.status = Fate::unavailable;
    if (encoded.status != Fate::row) out.resize(start);
    return encoded;
  }
  if (read.fate != Fate::row) [[unlikely]] {
    if (read.fate == Fate::bad) refuse(elements ? elements->bad() : reader->bad());
    if (read.fate == Fate::removal && !append_key(out)) encoded.status = Fate::bad;
    return encoded;
  }
  if (!append_row(out)) {
    out.resize(start);
    encoded.status = Fate::bad;
    return encoded;
  }
  if (!left_out.empty()) encoded.column_set = sets.number_of(left_out);
  return encoded;
}

Encoded RowEncoder::encode(const TopicPartition& tp, const Record& record, std::string& out) {
  Impl& impl = *impl_;
  if (!impl.elements) [[likely]]
    return impl.encode_row(impl.reader->read(tp, record), out);
  const auto read = impl.elements->read(tp, record);
  if (read.fate != Fate::row && read.fate != Fate::removal) return impl.encode_row(read, out);
  auto first = encode_next(out).value_or(Encoded{.status = Fate::ignored});
  first.unknown_fields += read.unknown_fields;
  return first;
}

std::optional<Encoded> RowEncoder::encode_next(std::string& out) {
  Impl& impl = *impl_;
  if (!impl.elements) return std::nullopt;
  const auto read = impl.elements->next();
  if (!read) return std::nullopt;
  const auto encoded = impl.encode_row(*read, out);
  if (encoded.status == Fate::bad && read->fate != Fate::bad) {
    for (auto* said : {&impl.bad.reason, &impl.bad.told}) {
      if (!said->empty()) *said = fmt::format("{}: {}", impl.elements->place(), *said);
    }
  }
  return encoded;
}

std::vector<std::string> RowEncoder::known_members() const {
  return impl_->elements ? impl_->elements->known_members()
                         : record::known_members(impl_->reader->columns());
}

std::vector<std::string> RowEncoder::known_inside() const {
  return impl_->elements ? impl_->elements->known_inside() : std::vector<std::string>();
}

void RowEncoder::begin_rows() {
  impl_->used.clear();
  impl_->removals = false;
  impl_->varying = 0;
}

Staged RowEncoder::staged() const {
  return impl_->staged_rows();
}

std::vector<std::string> RowEncoder::key_columns() const {
  std::vector<std::string> names;
  for (const ColumnPlan& column : impl_->columns) {
    if (column.of_key) names.push_back(column.name);
  }
  return names;
}

std::int64_t RowEncoder::last_number() const {
  return impl_->number;
}

const BadRecord& RowEncoder::bad() const {
  return impl_->bad;
}

std::string_view RowEncoder::unknown_field() const {
  return impl_->elements ? impl_->elements->unknown_field() : impl_->reader->unknown_field();
}

Error RowEncoder::unavailable() const {
  if (impl_->varying <= Staged::varying_max) {
    return impl_->elements ? impl_->elements->unavailable() : impl_->reader->unavailable();
  }
  return {ErrorKind::fatal, Cause::configuration,
          fmt::format("records for {} lack different ones of {} columns that the server fills in "
                      "(serial, identity, a function), and {} at most can be merged. Give some of "
                      "them a constant default, or none, or map them to a part of the record",
                      impl_->table_name, impl_->varying, Staged::varying_max)};
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
