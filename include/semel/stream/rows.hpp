// What a stream becomes in an output: rows, each a key and a value as a record of Kafka has them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <semel/api.hpp>
#include <semel/json.hpp>
#include <semel/record.hpp>
#include <semel/stream/graph.hpp>
#include <semel/stream/run.hpp>
#include <semel/stream/step.hpp>

namespace semel::stream {

/// A row as an output's mapping reads it: it is to the output what a record of Kafka is.
struct Row {
  std::optional<std::string> key;    ///< absent and empty differ
  std::optional<std::string> value;  ///< as the output's format has it, JSON mostly; absent: a
                                     ///< tombstone
};

namespace detail {

/// Rows as bytes, one behind the other.
class SEMEL_API RowBuffer {
 public:
  /// The record itself.
  void add(const Record& whole);
  /// `origin`: whose offset, timestamp and headers the row has; nullptr: none. Without a key of its
  /// own it has the origin's.
  void add(const Record* origin, std::optional<std::string_view> key,
           std::optional<std::string_view> value);
  std::size_t size() const { return rows_.size(); }
  void cut(std::size_t size);
  void clear() { cut(0); }
  /// Valid until the next add().
  Record row(std::size_t i) const;

 private:
  struct Place {
    const Record* origin;
    bool whole;
    std::size_t key, key_size;  ///< npos: absent
    std::size_t value, value_size;
  };
  std::vector<Place> rows_;
  std::string bytes_;
};

/// Where an output's streams end.
class SEMEL_API OutputNode : public Node {
 public:
  ~OutputNode() override;
  void absorb(Run&) override {}
  void finish(Run&) override {}
  void reset() override { rows.clear(); }

  RowBuffer rows;

 private:
  void cut(std::size_t size) override { rows.cut(size); }
};

template <class T>
concept Text = std::is_convertible_v<const T&, std::string_view>;

/// A key as people and a record's key have it: text as it is, all else as JSON.
template <class K>
std::string key_text(const K& key) {
  if constexpr (Text<K>) {
    return std::string(std::string_view(key));
  } else {
    return json::write(key);
  }
}

/// T has a member of that name.
template <class T>
constexpr bool has_member_called(std::string_view name) {
  if constexpr (has_members<T>) {
    for (const auto& member : member_names<T>) {
      if (member == name) return true;
    }
  }
  return false;
}

class RowsNode final : public OutputNode {
 public:
  explicit RowsNode(bool by_record) : by_record_(by_record) {}

  /// Of a stream.
  template <class T>
  void take(T&& item, Run& run) {
    keeps(run, rows.size());
    const auto* origin = by_record_ ? run.origin() : nullptr;
    using Item = std::remove_cvref_t<T>;
    if constexpr (std::is_same_v<Item, Message>) {
      if (by_record_) {
        rows.add(item.record());
      } else {
        rows.add(nullptr, item.record().key, item.record().value);
      }
    } else if constexpr (std::is_same_v<Item, Row>) {
      rows.add(origin, item.key, item.value);
    } else if constexpr (Text<Item>) {
      rows.add(origin, std::nullopt, std::string_view(item));
    } else {
      text_.clear();
      json::write_to(text_, item);
      rows.add(origin, std::nullopt, text_);
    }
  }
  /// Of a keyed stream: {"key": …, "value": …}, or the members of a plain struct beside "key".
  template <class K, class V>
  void take(K&& key, V&& value, Run& run) {
    static_assert(!has_member_called<std::remove_cvref_t<V>>("key"),
                  "a row of a keyed stream has the stream's key as \"key\": a plain struct whose "
                  "member has that name gives it another name, or map() makes the row");
    keeps(run, rows.size());
    const auto* origin = by_record_ ? run.origin() : nullptr;
    text_ = "{\"key\":";
    json::write_to(text_, key);
    if constexpr (has_members<std::remove_cvref_t<V>>) {
      text_ += ',';
      json::write_members_to(text_, value);
    } else {
      text_ += ",\"value\":";
      json::write_to(text_, value);
    }
    text_ += '}';
    rows.add(origin, key_text(key), text_);
  }

 private:
  bool by_record_;
  std::string text_;  ///< kept for its memory
};

}  // namespace detail

}  // namespace semel::stream
