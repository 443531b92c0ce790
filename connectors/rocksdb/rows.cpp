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

class Family final : public store::Target {
 public:
  Family(Connection& connection, Rows rows) : connection_(connection), rows_(rows) {}

  const std::vector<Column>& columns() const override { return columns_of_rows(rows_); }
  Result<std::string> version() override { return std::string(); }

  Result<Put> put(std::span<const Value> values, bool tell) override {
    texts_.clear();
    for (std::size_t i = 0; i < values.size(); ++i) {
      auto text = bytes_of(values[i], columns()[i]);
      if (!text) return Put{.fate = Put::Fate::refused, .bad = std::move(text.error())};
      texts_.push_back(*std::move(text));
    }
    // Stored: do not change.
    const auto key = rows_ == Rows::by_key
                         ? texts_[0]
                         : fmt::format("{} {:0>10} {:0>20}", texts_[0], texts_[1], texts_[2]);
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
    const auto said = column.name == "key"
                          ? std::string("the record has no key (rows = \"by_position\" needs none)")
                          : fmt::format("the record has nothing for it");
    return {.fault = Fault::missing, .column = column.name, .reason = said, .told = said};
  }

  tl::expected<std::string, record::BadRecord> bytes_of(const Value& value, const Column& column) {
    if (value.kind == record::Kind::absent || value.kind == record::Kind::null) {
      return tl::unexpected(missing(column));
    }
    const auto prefer =
        value.kind == record::Kind::bytes ? record::Prefer::bytes : record::Prefer::text;
    const auto plain = record::as_plain(value, prefer, scratch_);
    if (const auto* text = std::get_if<std::string_view>(&plain)) return std::string(*text);
    if (const auto* bytes = std::get_if<record::Bytes>(&plain)) return std::string(bytes->bytes);
    if (const auto* number = std::get_if<std::int64_t>(&plain)) return std::to_string(*number);
    const auto* no = std::get_if<record::NotPlain>(&plain);
    return tl::unexpected(no != nullptr ? store::unfit(column, no->why) : missing(column));
  }

  Connection& connection_;
  Rows rows_;
  std::vector<std::string> texts_;  ///< by column
  std::string scratch_;
};

}  // namespace

Result<std::unique_ptr<store::Target>> Connection::target() {
  return std::make_unique<Family>(*this, options_.keep);
}

}  // namespace semel::rocksdb
