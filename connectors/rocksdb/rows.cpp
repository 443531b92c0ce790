// The column family that gets the rows: from values to a key and a value.
#include <fmt/format.h>

#include "record/plain.hpp"
#include "rocksdb/connection.hpp"

namespace semel::rocksdb {

using record::Column;
using record::Fault;
using record::Holds;
using record::Value;
using store::Put;

namespace {

/// What `columns` in the configuration may name.
const std::vector<Column>& columns_of_rows(Rows rows) {
  static const std::vector<Column> by_key{{"key", "bytes", Holds::unknown},
                                          {"value", "bytes", Holds::unknown}};
  static const std::vector<Column> by_position{{"topic", "text", Holds::unknown},
                                               {"partition", "number", Holds::unknown},
                                               {"offset", "number", Holds::unknown},
                                               {"value", "bytes", Holds::unknown}};
  return rows == Rows::by_key ? by_key : by_position;
}

/// A blank, and digits in the order of their numbers.
void append_padded(std::string& out, std::string_view digits, std::size_t width) {
  out += ' ';
  if (digits.size() < width) out.append(width - digits.size(), '0');
  out += digits;
}

class Family final : public store::Target {
 public:
  Family(Connection& connection, Rows rows) : connection_(connection), rows_(rows) {}

  const std::vector<Column>& columns() const override { return columns_of_rows(rows_); }
  Result<std::string> version() override { return std::string(); }

  Result<Put> put(std::span<const Value> values, bool tell) override {
    texts_.resize(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      auto bad = read(values[i], columns()[i], texts_[i]);
      if (bad) return Put{.fate = Put::Fate::refused, .bad = std::move(bad)};
    }
    // Stored: do not change.
    key_.clear();
    if (rows_ == Rows::by_position) {
      key_ += texts_[0];
      append_padded(key_, texts_[1], 10);
      append_padded(key_, texts_[2], 20);
    }
    const auto& key = rows_ == Rows::by_key ? texts_[0] : key_;
    if (auto done = connection_.put_row(key, texts_.back()); !done) {
      return tl::unexpected(done.error());
    }
    Put put;
    if (tell) put.stored.assign(texts_.begin(), texts_.end());
    return put;
  }

  /// What no record of a topic has is not the records' fault.
  Result<Put> put_defaults() override {
    return Put{.fate = Put::Fate::refused, .bad = missing(columns().front())};
  }

 private:
  static record::BadRecord missing(const Column& column) {
    const std::string said = "the record has nothing for it";
    return {.fault = Fault::missing, .column = column.name, .reason = said, .told = said};
  }

  /// Into `text`, whose memory is used again. What is wrong with the value, if anything.
  std::optional<record::BadRecord> read(const Value& value, const Column& column,
                                        std::string& text) {
    if (value.kind == record::Kind::absent || value.kind == record::Kind::null) {
      return missing(column);
    }
    const auto prefer =
        value.kind == record::Kind::bytes ? record::Prefer::bytes : record::Prefer::text;
    const auto plain = record::as_plain(value, prefer, scratch_);
    if (const auto* words = std::get_if<std::string_view>(&plain)) {
      text.assign(*words);
    } else if (const auto* bytes = std::get_if<record::Bytes>(&plain)) {
      text.assign(bytes->bytes);
    } else if (const auto* number = std::get_if<std::int64_t>(&plain)) {
      const fmt::format_int digits(*number);
      text.assign(digits.data(), digits.size());
    } else {
      const auto* no = std::get_if<record::NotPlain>(&plain);
      return no != nullptr ? store::unfit(column, no->why) : missing(column);
    }
    return std::nullopt;
  }

  Connection& connection_;
  Rows rows_;
  std::vector<std::string> texts_;  ///< by column
  std::string key_;
  std::string scratch_;
};

}  // namespace

Result<std::unique_ptr<store::Target>> Connection::target() {
  return std::make_unique<Family>(*this, options_.keep);
}

}  // namespace semel::rocksdb
