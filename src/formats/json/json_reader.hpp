// Walks one JSON document with simdjson, once: every byte of it is validated, also what nobody
// reads, and the values that somebody wants are picked up on the way.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "record/path_tree.hpp"
#include "record/value.hpp"

namespace semel::formats {

using record::Flaw;
using record::Kind;
using record::PathNode;
using record::PathTree;
using record::Value;

/// Not thread safe. Keeps its buffers: no allocation once they have grown to the documents' size.
class JsonReader {
 public:
  /// As deep as arrays and objects may be nested; deeper is an error, not a stack overflow.
  static constexpr int kMaxDepth = 500;

  /// The values that `tree` wants, by slot, from an object; slots without a value are left alone.
  /// Of members of the same name the last one counts, as in PostgreSQL. False: error() says why.
  bool read(std::string_view json, PathTree& tree, std::span<Value> slots);

  /// From now on numbers may be NaN, Infinity and -Infinity, which JSON does not have. Not inside
  /// of an object or array that is wanted as JSON.
  void accept_nan() { accepts_nan_ = true; }

  /// Whether `text` is one JSON value of any kind. Views of earlier values become invalid.
  bool is_json(std::string_view text);

  /// What is wrong, as the beginning of a sentence. explain.hpp says more.
  const char* error() const { return error_; }
  /// Top-level members of the last document that no path begins with; and the first one's name.
  std::uint32_t unknown_fields() const { return unknown_fields_; }
  std::string_view unknown_field() const { return unknown_field_; }

 private:
  using Object = simdjson::ondemand::object;
  using Array = simdjson::ondemand::array;
  using JsonValue = simdjson::ondemand::value;

  bool prepare(std::string_view before, std::string_view json, std::string_view after);
  bool iterate(simdjson::ondemand::document& document);
  bool walk_object(Object object, PathNode* node, int depth);
  bool walk_array(Array array, PathNode* node, int depth);
  bool walk_value(JsonValue& value, PathNode* node, int depth);
  bool walk_no_number(std::string_view token, const PathNode* node);
  bool walk_string(std::string_view token, const PathNode* node);
  bool walk_nested(JsonValue& value, char open, PathNode* node, int depth);
  /// The member's node, or null; false where the key is invalid.
  bool find_member(const char* key, PathNode& parent, std::size_t position, PathNode*& node);
  bool key_at(const char* key, std::string_view& written, std::string_view& name);
  void forget(PathNode& node);
  void assign(const PathNode& node, Kind kind, std::string_view text, std::string_view json,
              Flaw flaw = Flaw::none) {
    for (const std::uint32_t slot : node.slots) {
      Value& value = slots_[slot];
      value.kind = kind;
      value.flaw = flaw;
      value.text = text;
      value.json = json;
    }
  }
  bool wrong(const char* why);
  bool wrong(simdjson::error_code code);

  simdjson::ondemand::parser parser_;
  std::vector<char> buffer_;  ///< the document and simdjson's padding
  const char* begin_ = nullptr;
  const char* end_ = nullptr;
  bool has_escapes_ = false;
  std::string scratch_;  ///< strings without their escapes; never grows while a document is read
  std::string key_;
  std::span<Value> slots_;
  simdjson::ondemand::document* document_ = nullptr;
  const PathNode* root_ = nullptr;
  std::uint64_t documents_ = 0;
  bool accepts_nan_ = false;
  std::uint64_t nans_ = 0;  ///< so far, in all documents
  std::uint32_t unknown_fields_ = 0;
  std::string_view unknown_field_;
  const char* error_ = "";
};

}  // namespace semel::formats
