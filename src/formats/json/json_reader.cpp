#include "formats/json/json_reader.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "record/json_text.hpp"

namespace semel::formats {
namespace {

using record::escapes_are_valid;
using record::is_json_number;
using record::unescape;
using record::Unescaped;

constexpr const char* kTrailing = "something follows the JSON value";
constexpr const char* kNanInside = "NaN or Infinity is inside of what is wanted as JSON";
constexpr const char* kMark = "the value is not JSON: it begins with a byte order mark";

bool is_json_space(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/// A token reaches up to the next one; without the white space between them.
std::string_view without_space_after(std::string_view token) {
  while (!token.empty() && is_json_space(token.back())) token.remove_suffix(1);
  return token;
}

/// simdjson 3.0 has no other way to ask.
bool at_end(simdjson::ondemand::document& document) {
  return document.current_location().error() == simdjson::OUT_OF_BOUNDS;
}

}  // namespace

bool JsonReader::wrong(const char* why) {
  error_ = why;
  return false;
}

bool JsonReader::wrong(simdjson::error_code code) {
  switch (code) {
    case simdjson::UTF8_ERROR:
      return wrong("the value is not valid UTF-8");
    case simdjson::UNESCAPED_CHARS:
      return wrong("the value is not JSON: a control character in a string");
    case simdjson::UNCLOSED_STRING:
      return wrong("the value is not JSON: a string does not end");
    case simdjson::EMPTY:
      return wrong("the value is empty");
    case simdjson::CAPACITY:
      return wrong("the value is too long for a JSON document");
    case simdjson::MEMALLOC:
      return wrong("the value is too long for the memory that is left");
    case simdjson::INCOMPLETE_ARRAY_OR_OBJECT:
      return wrong("the value is not JSON: an object or array does not end");
    default:
      return wrong("the value is not JSON: its structure is broken");
  }
}

bool JsonReader::prepare(std::string_view before, std::string_view json, std::string_view after) {
  // simdjson 3.0 refuses documents of 4 GiB; Kafka's are far smaller.
  const std::size_t size = before.size() + json.size() + after.size();
  if (buffer_.size() < size + simdjson::SIMDJSON_PADDING) {
    buffer_.resize(std::max<std::size_t>(4096, (size + simdjson::SIMDJSON_PADDING) * 2));
    scratch_.reserve(buffer_.size());
  }
  char* to = buffer_.data();
  const auto put = [&to](std::string_view part) {
    if (!part.empty()) std::memcpy(to, part.data(), part.size());
    to += part.size();
  };
  put(before);
  put(json);
  put(after);
  // What an earlier document left behind this one must not complete it.
  std::memset(to, 0, simdjson::SIMDJSON_PADDING);
  begin_ = buffer_.data();
  end_ = to;
  scratch_.clear();
  has_escapes_ = !json.empty() && std::memchr(json.data(), '\\', json.size()) != nullptr;
  ++documents_;
  return true;
}

bool JsonReader::iterate(simdjson::ondemand::document& document) {
  const auto size = static_cast<std::size_t>(end_ - begin_);
  const simdjson::padded_string_view view(begin_, size, buffer_.size());
  document_ = &document;
  const auto error = parser_.iterate(view).get(document);
  return error ? wrong(error) : true;
}

bool JsonReader::read(std::string_view json, PathTree& tree, std::span<Value> slots) {
  unknown_fields_ = 0;
  if (json.starts_with("\xEF\xBB\xBF")) return wrong(kMark);
  prepare("", json, "");
  simdjson::ondemand::document document;
  if (!iterate(document)) return false;
  const char* first = begin_;
  while (first != end_ && is_json_space(*first)) ++first;
  if (first == end_) return wrong("the value is empty");
  slots_ = slots;
  PathNode& root = tree.root();
  root_ = &root;
  if (*first != '{') {
    Array array;
    if (*first != '[') return wrong("the value is not a JSON object");
    if (const auto error = document.get_array().get(array)) return wrong(error);
    return walk_array(array, nullptr, 1) && wrong("the value is a JSON array, not an object");
  }
  Object object;
  if (const auto error = document.get_object().get(object)) return wrong(error);
  const auto nans = nans_;
  if (!walk_object(object, &root, 1)) return false;
  if (!at_end(document)) return wrong(kTrailing);
  if (!root.slots.empty()) {
    if (nans_ != nans) return wrong(kNanInside);
    unknown_fields_ = 0;
    const auto size = static_cast<std::size_t>(end_ - first);
    const auto whole = without_space_after({first, size});
    assign(root, Kind::nested, whole, whole);
  }
  return true;
}

bool JsonReader::is_json(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) return wrong(kMark);
  // As the only element of an array, so that scalars need no way of their own.
  prepare("[", text, "]");
  simdjson::ondemand::document document;
  if (!iterate(document)) return false;
  Array array;
  if (const auto error = document.get_array().get(array)) return wrong(error);
  slots_ = {};
  root_ = nullptr;
  std::size_t count = 0;
  for (auto element : array) {
    JsonValue value;
    if (const auto error = element.get(value)) return wrong(error);
    // The array around it is ours: it is none of the levels.
    if (!walk_value(value, nullptr, 0)) return false;
    ++count;
  }
  if (count != 1 || !at_end(document)) return wrong(kTrailing);
  return true;
}

bool JsonReader::walk_object(Object object, PathNode* node, int depth) {
  if (depth > kMaxDepth) return wrong("the value is nested deeper than 500 levels");
  std::size_t position = 0;
  for (auto member : object) {
    if (const auto error = member.error()) return wrong(error);
    // By reference: a copy of a field costs as much as reading it.
    auto&& field = std::move(member).value_unsafe();
    PathNode* child = nullptr;
    if (node != nullptr) {
      if (!find_member(field.key().raw(), *node, position, child)) return false;
      if (child != nullptr) {
        if (child->seen == documents_) [[unlikely]]
          forget(*child);
        child->seen = documents_;
      }
    } else {
      std::string_view written;
      std::string_view name;
      if (!key_at(field.key().raw(), written, name)) return false;
    }
    if (!walk_value(field.value(), child, depth)) return false;
    ++position;
  }
  return true;
}

bool JsonReader::walk_array(Array array, PathNode* node, int depth) {
  if (depth > kMaxDepth) return wrong("the value is nested deeper than 500 levels");
  std::size_t index = 0;
  for (auto element : array) {
    JsonValue value;
    if (const auto error = element.get(value)) return wrong(error);
    PathNode* child = node != nullptr ? node->element(index) : nullptr;
    if (!walk_value(value, child, depth)) return false;
    ++index;
  }
  return true;
}

bool JsonReader::walk_value(JsonValue& value, PathNode* node, int depth) {
  const std::string_view token = without_space_after(value.raw_json_token());
  if (token.empty()) return wrong("the value is not JSON: a value is missing");
  switch (token.front()) {
    case '"':
      // Taken explicitly: what simdjson skips as a value it would also take for a key.
      if (const auto error = value.get_raw_json_string().error()) return wrong(error);
      return walk_string(token, node);
    case '{':
    case '[':
      return walk_nested(value, token.front(), node, depth);
    case 't':
    case 'f':
      if (token != "true" && token != "false")
        return wrong("the value is not JSON: a value is none of its words");
      if (node != nullptr) assign(*node, Kind::boolean, token, token);
      return true;
    case 'n':
      if (token != "null") return wrong("the value is not JSON: a value is none of its words");
      if (node != nullptr) assign(*node, Kind::null, token, token);
      return true;
    default:
      if (!is_json_number(token)) return walk_no_number(token, node);
      if (node != nullptr) assign(*node, Kind::number, token, token);
      return true;
  }
}

bool JsonReader::walk_no_number(std::string_view token, const PathNode* node) {
  const bool negative = token.starts_with('-');
  const bool infinite = token.substr(negative ? 1 : 0) == "Infinity";
  if (!infinite && token != "NaN") {
    return wrong("the value is not JSON: a value is not a number");
  }
  if (!accepts_nan_) {
    return wrong(
        "the value is not JSON: NaN and Infinity are no numbers there (nan = \"accept\" "
        "takes them)");
  }
  ++nans_;
  if (node == nullptr) return true;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for (const std::uint32_t slot : node->slots) {
    slots_[slot] = Value{.kind = Kind::real};
    slots_[slot].real = !infinite  ? std::numeric_limits<double>::quiet_NaN()
                        : negative ? -infinity
                                   : infinity;
  }
  return true;
}

bool JsonReader::walk_string(std::string_view token, const PathNode* node) {
  if (token.size() < 2 || token.back() != '"')
    return wrong("the value is not JSON: a string does not end");
  const std::string_view content = token.substr(1, token.size() - 2);
  if (!has_escapes_ || std::memchr(content.data(), '\\', content.size()) == nullptr) {
    if (node != nullptr) assign(*node, Kind::string, content, token);
    return true;
  }
  if (node == nullptr)
    return escapes_are_valid(content) || wrong("the value is not JSON: an unknown escape");
  const std::size_t start = scratch_.size();
  const Unescaped result = unescape(content, scratch_);
  if (!result.valid) return wrong("the value is not JSON: an unknown escape");
  assign(*node, Kind::string, std::string_view(scratch_).substr(start), token, result.flaw);
  return true;
}

bool JsonReader::walk_nested(JsonValue& value, char open, PathNode* node, int depth) {
  const char* const first = value.raw_json_token().data();
  const auto nans = nans_;
  if (open == '{') {
    Object object;
    if (const auto error = value.get_object().get(object)) return wrong(error);
    if (!walk_object(object, node != nullptr && node->wants_members() ? node : nullptr,
                     depth + 1)) {
      return false;
    }
  } else {
    Array array;
    if (const auto error = value.get_array().get(array)) return wrong(error);
    if (!walk_array(array, node != nullptr && node->wants_elements() ? node : nullptr, depth + 1)) {
      return false;
    }
  }
  if (node == nullptr || node->slots.empty()) return true;
  if (nans_ != nans) return wrong(kNanInside);
  // What comes next is at the next token; before it there is white space at most.
  const char* next = nullptr;
  if (const auto error = document_->current_location().get(next)) return wrong(error);
  const auto text = without_space_after({first, static_cast<std::size_t>(next - first)});
  assign(*node, Kind::nested, text, text);
  return true;
}

bool JsonReader::key_at(const char* key, std::string_view& written, std::string_view& name) {
  const char* quote = key;
  bool escaped = false;
  while (quote != end_ && *quote != '"') {
    if (*quote == '\\') {
      escaped = true;
      if (++quote == end_) break;
    }
    ++quote;
  }
  if (quote == end_) return wrong("the value is not JSON: a string does not end");
  written = name = std::string_view(key, static_cast<std::size_t>(quote - key));
  if (!escaped) return true;
  key_.clear();
  if (!unescape(written, key_).valid) return wrong("the value is not JSON: an unknown escape");
  name = key_;
  return true;
}

bool JsonReader::find_member(const char* key, PathNode& parent, std::size_t position,
                             PathNode*& node) {
  std::string_view written;
  std::size_t length = 0;
  if (parent.guess(position, key, end_, length, node)) [[likely]] {
    written = std::string_view(key, length);
  } else {
    std::string_view name;
    if (!key_at(key, written, name)) return false;
    node = parent.member(name);
    if (node == nullptr) node = parent.like(name);
    parent.learn(position, written, node);
  }
  if (node == nullptr && &parent == root_ && unknown_fields_++ == 0) unknown_field_ = written;
  return true;
}

/// A second member of the same name takes the place of the first one and of all that was in it.
void JsonReader::forget(PathNode& node) {
  node.for_each_slot([this](std::uint32_t slot) { slots_[slot] = Value{}; });
}

}  // namespace semel::formats
