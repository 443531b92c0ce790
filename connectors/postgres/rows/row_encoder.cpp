#include "postgres/rows/row_encoder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "formats/json/json_reader.hpp"
#include "postgres/encode/column_plan.hpp"
#include "postgres/encode/column_sets.hpp"
#include "postgres/encode/wire.hpp"
#include "record/spell.hpp"

namespace semel::postgres {
namespace {

using encode::ColumnPlan;
using encode::Kind;
using encode::Refusal;
using encode::Value;
using record::Fault;

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
    case Fault::objection:
      break;
  }
  return "XX000";  // internal_error
}

}  // namespace

struct RowEncoder::Impl {
  std::vector<ColumnPlan> columns;
  bool binary = true;
  std::optional<record::Reader> reader;
  formats::JsonReader checker;  ///< for JSON that the record's format has not checked
  encode::ColumnSets sets;
  std::string left_out;  ///< of the current row, as ColumnSets has it
  std::string text;
  std::string spelled;  ///< a typed value
  BadRecord bad;

  Result<void> prepare(const Table& table, const Options& with);
  bool append_row(std::string& out);
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
  auto made = record::Reader::make(std::move(plan->mapped), options.policy, *options.format,
                                   encode::columns_setting);
  if (!made) return tl::unexpected(made.error());
  reader = *std::move(made);
  columns = std::move(plan->columns);
  binary = plan->binary;
  const auto changing = static_cast<std::size_t>(
      std::ranges::count_if(columns, [](const ColumnPlan& c) { return c.may_be_left_out; }));
  left_out.assign(changing, '\0');
  sets = encode::ColumnSets(changing);
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
  // One comparison for every value that is neither null nor typed.
  if (value.kind < Kind::boolean || record::is_typed(value.kind)) [[unlikely]] {
    if (value.kind != Kind::null) return append_typed(column, value, out, first);
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
  const Value* const values = reader->values().data();
  if (binary) encode::append_integer(out, std::int16_t{0});
  std::int16_t count = 0;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    ColumnPlan& column = columns[i];
    if (column.may_be_left_out) {
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
  const std::string& left_out = impl_->sets.left_out(column_set);
  std::vector<std::string> names;
  for (const ColumnPlan& column : impl_->columns) {
    if (!column.may_be_left_out || left_out[column.changing] == '\0') names.push_back(column.name);
  }
  return names;
}

Encoded RowEncoder::encode(const TopicPartition& tp, const Record& record, std::string& out) {
  Impl& impl = *impl_;
  const auto read = impl.reader->read(tp, record);
  Encoded encoded{.status = read.fate, .unknown_fields = read.unknown_fields};
  if (read.fate != Fate::row) [[unlikely]] {
    if (read.fate == Fate::bad) impl.refuse(impl.reader->bad());
    return encoded;
  }
  const std::size_t start = out.size();
  if (!impl.append_row(out)) {
    out.resize(start);
    encoded.status = Fate::bad;
    return encoded;
  }
  if (!impl.left_out.empty()) encoded.column_set = impl.sets.number_of(impl.left_out);
  return encoded;
}

const BadRecord& RowEncoder::bad() const {
  return impl_->bad;
}

std::string_view RowEncoder::unknown_field() const {
  return impl_->reader->unknown_field();
}

Error RowEncoder::unavailable() const {
  return impl_->reader->unavailable();
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
