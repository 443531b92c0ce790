// Arrays of anything that has an encoder, from JSON or from PostgreSQL's own spelling.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "postgres/encode/encoder.hpp"
#include "postgres/encode/literal.hpp"
#include "postgres/encode/wire.hpp"
#include "record/json_text.hpp"

namespace semel::postgres::encode {
namespace {

using record::ArrayElements;
using record::skip_json_space;

constexpr Refusal kNotAnArray{"22P02", "is not an array"};
constexpr Refusal kUneven{"22P02", "has arrays of different lengths or depths in it"};
constexpr Refusal kTooDeep{"54000", "has more than 6 dimensions"};
constexpr Refusal kBounds{"2202E", "has bounds that do not fit its elements"};

constexpr std::size_t kMaxDimensions = 6;

/// How many dimensions, how long and from which index; 0 dimensions: empty.
struct Shape {
  std::size_t dimensions = 0;
  std::array<std::int32_t, kMaxDimensions> lengths{};
  std::array<std::int32_t, kMaxDimensions> first{1, 1, 1, 1, 1, 1};

  /// Called where an array `level` deep (from 0) ends with so many elements.
  bool ends(std::size_t level, std::int32_t length, std::array<bool, kMaxDimensions>& known) {
    if (!std::exchange(known[level], true)) lengths[level] = length;
    return lengths[level] == length;
  }
  bool is_empty() const {
    for (std::size_t i = 0; i < dimensions; ++i) {
      if (lengths[i] == 0) return true;
    }
    return dimensions == 0;
  }
};

/// The elements of an array of which all is read before anything is written. Keeps its buffers.
struct Elements {
  Shape shape;
  std::vector<Value> values;
  std::string scratch;  ///< what some of the values are views into

  void clear(std::size_t bytes) {
    shape = {};
    values.clear();
    scratch.clear();
    scratch.reserve(bytes);
  }
};

/// As json_populate_record sees it: the first element says how many dimensions there are, and what
/// is deeper belongs to the elements.
class JsonArray {
 public:
  explicit JsonArray(Elements& into) : into_(into) {}

  Refusal read(std::string_view json) {
    into_.clear(json.size());
    std::size_t depth = 0;
    for (auto first = json; first.starts_with('['); ++depth) {
      first = skip_json_space(first.substr(1));
    }
    if (depth > kMaxDimensions) return kTooDeep;
    into_.shape.dimensions = depth;
    return level(json, 0);
  }

 private:
  Refusal level(std::string_view json, std::size_t at) {
    std::int32_t count = 0;
    Value element;
    for (ArrayElements elements(json); elements.next(element, into_.scratch); ++count) {
      if (at + 1 == into_.shape.dimensions) {
        into_.values.push_back(element);
      } else if (!element.json.starts_with('[')) {
        return kUneven;
      } else if (const Refusal refusal = level(element.json, at + 1)) {
        return refusal;
      }
    }
    return into_.shape.ends(at, count, known_) ? Refusal{} : kUneven;
  }

  Elements& into_;
  std::array<bool, kMaxDimensions> known_{};
};

/// {1,"a b",NULL}, {{1,2},{3,4}}, [0:1]={1,2}
class ArrayLiteral {
 public:
  ArrayLiteral(Elements& into, char delimiter) : into_(into), delimiter_(delimiter) {}

  Refusal read(std::string_view literal) {
    into_.clear(literal.size());
    rest_ = trim(literal);
    std::size_t bounds = 0;
    std::array<std::int32_t, kMaxDimensions> lengths{};
    if (rest_.starts_with('[')) {
      if (const Refusal refusal = take_bounds(bounds, lengths)) return refusal;
    }
    if (!rest_.starts_with('{')) return kNotAnArray;
    if (const Refusal refusal = level(0)) return refusal;
    if (!rest_.empty()) return kNotAnArray;
    Shape& shape = into_.shape;
    if (into_.values.empty()) {
      shape.dimensions = 0;
      return bounds == 0 ? Refusal{} : kBounds;
    }
    if (bounds == 0) return {};
    return bounds == shape.dimensions && lengths == shape.lengths ? Refusal{} : kBounds;
  }

 private:
  Refusal take_bounds(std::size_t& count, std::array<std::int32_t, kMaxDimensions>& lengths) {
    while (rest_.starts_with('[')) {
      if (count == kMaxDimensions) return kTooDeep;
      rest_.remove_prefix(1);
      std::int64_t from = 1;
      std::int64_t until = 0;
      if (!take_number(until)) return kNotAnArray;
      if (rest_.starts_with(':')) {
        rest_.remove_prefix(1);
        from = until;
        if (!take_number(until)) return kNotAnArray;
      }
      if (!rest_.starts_with(']')) return kNotAnArray;
      rest_ = skip_space(rest_.substr(1));
      if (until < from || until - from >= INT32_MAX || until >= INT32_MAX) return kBounds;
      into_.shape.first[count] = static_cast<std::int32_t>(from);
      lengths[count++] = static_cast<std::int32_t>(until - from + 1);
    }
    if (!rest_.starts_with('=')) return kNotAnArray;
    rest_ = skip_space(rest_.substr(1));
    return {};
  }

  bool take_number(std::int64_t& number) {
    const bool negative = rest_.starts_with('-');
    if (negative || rest_.starts_with('+')) rest_.remove_prefix(1);
    const std::size_t digits = count_digits(rest_);
    constexpr std::size_t most = 10;
    if (digits == 0 || digits > most) return false;
    number = 0;
    for (std::size_t i = 0; i < digits; ++i) number = number * 10 + (rest_[i] - '0');
    if (negative) number = -number;
    rest_.remove_prefix(digits);
    return number >= INT32_MIN && number <= INT32_MAX;
  }

  /// From '{' to behind its '}'.
  Refusal level(std::size_t at) {
    if (at == kMaxDimensions) return kTooDeep;
    Shape& shape = into_.shape;
    rest_ = skip_space(rest_.substr(1));
    std::int32_t count = 0;
    while (!rest_.starts_with('}') || count != 0) {
      if (rest_.starts_with('{')) {
        if (shape.dimensions != 0 && at + 1 >= shape.dimensions) return kUneven;
        if (const Refusal refusal = level(at + 1)) return refusal;
      } else {
        if (shape.dimensions == 0) shape.dimensions = at + 1;
        if (shape.dimensions != at + 1) return kUneven;
        if (!take_element()) return kNotAnArray;
      }
      ++count;
      rest_ = skip_space(rest_);
      if (rest_.starts_with('}')) break;
      if (rest_.empty() || rest_.front() != delimiter_) return kNotAnArray;
      rest_ = skip_space(rest_.substr(1));
    }
    if (!rest_.starts_with('}')) return kNotAnArray;
    rest_ = skip_space(rest_.substr(1));
    return shape.ends(at, count, known_) ? Refusal{} : kUneven;
  }

  bool take_element() {
    std::string& scratch = into_.scratch;
    const std::size_t start = scratch.size();
    const bool quoted = rest_.starts_with('"');
    bool escaped = false;
    if (!(quoted ? take_quoted(scratch) : take_plain(scratch, escaped))) return false;
    const auto text = std::string_view(scratch).substr(start);
    const bool null = !quoted && !escaped && text.size() == 4 && (text[0] | 0x20) == 'n' &&
                      (text[1] | 0x20) == 'u' && (text[2] | 0x20) == 'l' && (text[3] | 0x20) == 'l';
    into_.values.push_back({.kind = null ? Kind::null : Kind::literal, .text = text});
    return true;
  }

  bool take_quoted(std::string& out) {
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      if (rest_[i] == '"') {
        rest_.remove_prefix(i + 1);
        return true;
      }
      if (rest_[i] == '\\' && ++i == rest_.size()) break;
      out += rest_[i];
    }
    return false;
  }

  bool take_plain(std::string& out, bool& escaped) {
    const std::size_t start = out.size();
    std::size_t significant = start;  // up to the last character that is no white space
    std::size_t i = 0;
    for (; i < rest_.size() && rest_[i] != delimiter_ && rest_[i] != '}'; ++i) {
      char c = rest_[i];
      if (c == '{' || c == '"') return false;
      const bool space = is_space(c);
      if (c == '\\') {
        if (++i == rest_.size()) return false;
        c = rest_[i];
        escaped = true;
      }
      out += c;
      if (!space) significant = out.size();
    }
    out.resize(significant);
    rest_.remove_prefix(i);
    return out.size() != start;
  }

  Elements& into_;
  char delimiter_;
  std::string_view rest_;
  std::array<bool, kMaxDimensions> known_{};
};

class ArrayEncoder final : public ValueEncoder {
 public:
  ArrayEncoder(EncoderPtr element, Oid element_type, char delimiter)
      : element_(std::move(element)), element_type_(element_type), delimiter_(delimiter) {}

 private:
  Refusal write_binary(const Value& value, std::string& out) const override {
    const LengthPrefix length(out);
    const std::size_t header = out.size();
    append_integer(out, std::int32_t{0});  // dimensions
    append_integer(out, std::int32_t{0});  // whether there are NULLs
    append_integer(out, element_type_);
    const Refusal refusal =
        is_flat(value) ? flat_binary(value.json, header, out) : any_binary(value, header, out);
    if (!refusal) length.close();
    return refusal;
  }

  Refusal write_text(const Value& value, std::string& out) const override {
    return is_flat(value) ? flat_text(value.json, out) : any_text(value, out);
  }

  /// One dimension of JSON: written while it is read.
  static bool is_flat(const Value& value) {
    return value.kind == Kind::nested && value.json.starts_with('[') &&
           !skip_json_space(value.json.substr(1)).starts_with('[');
  }

  Refusal flat_binary(std::string_view json, std::size_t header, std::string& out) const {
    std::int32_t count = 0;
    bool has_null = false;
    Value element;
    scratch_.clear();
    for (ArrayElements elements(json); elements.next(element, scratch_); scratch_.clear()) {
      if (count++ == 0) append_dimension(out, 0, 1);
      if (const Refusal refusal = append_binary(element, has_null, out)) return refusal;
    }
    if (count != 0) {
      patch(out, header, 1);
      patch(out, header + 4, has_null ? 1 : 0);
      patch(out, header + 12, count);
    }
    return {};
  }

  Refusal any_binary(const Value& value, std::size_t header, std::string& out) const {
    if (const Refusal refusal = read(value)) return refusal;
    const Shape& shape = elements_.shape;
    if (shape.is_empty()) return {};
    for (std::size_t i = 0; i < shape.dimensions; ++i) {
      append_dimension(out, shape.lengths[i], shape.first[i]);
    }
    bool has_null = false;
    for (const Value& element : elements_.values) {
      if (const Refusal refusal = append_binary(element, has_null, out)) return refusal;
    }
    patch(out, header, static_cast<std::int32_t>(shape.dimensions));
    patch(out, header + 4, has_null ? 1 : 0);
    return {};
  }

  Refusal append_binary(const Value& element, bool& has_null, std::string& out) const {
    if (element.kind != Kind::null) return element_->binary(element, out);
    has_null = true;
    append_null_field(out);
    return {};
  }

  Refusal flat_text(std::string_view json, std::string& out) const {
    out += '{';
    bool first = true;
    Value element;
    scratch_.clear();
    for (ArrayElements elements(json); elements.next(element, scratch_); scratch_.clear()) {
      if (!std::exchange(first, false)) out += delimiter_;
      if (const Refusal refusal = append_text(element, out)) return refusal;
    }
    out += '}';
    return {};
  }

  Refusal any_text(const Value& value, std::string& out) const {
    if (const Refusal refusal = read(value)) return refusal;
    const Shape& shape = elements_.shape;
    if (shape.is_empty()) {
      out += "{}";
      return {};
    }
    append_bounds(shape, out);
    for (std::size_t n = 0; n < elements_.values.size(); ++n) {
      if (n != 0) out += delimiter_;
      out.append(begun_at(shape, n), '{');
      if (const Refusal refusal = append_text(elements_.values[n], out)) return refusal;
      out.append(begun_at(shape, n + 1), '}');
    }
    return {};
  }

  /// How many arrays begin with the nth element; behind the last one: how many end with it.
  static std::size_t begun_at(const Shape& shape, std::size_t n) {
    std::size_t count = 0;
    std::size_t size = 1;
    for (std::size_t i = shape.dimensions; i-- > 0;) {
      size *= static_cast<std::size_t>(shape.lengths[i]);
      if (n % size == 0) ++count;
    }
    return count;
  }

  static void append_bounds(const Shape& shape, std::string& out) {
    bool usual = true;
    for (std::size_t i = 0; i < shape.dimensions; ++i) usual = usual && shape.first[i] == 1;
    if (usual) return;
    for (std::size_t i = 0; i < shape.dimensions; ++i) {
      out += '[' + std::to_string(shape.first[i]) + ':' +
             std::to_string(shape.first[i] + shape.lengths[i] - 1) + ']';
    }
    out += '=';
  }

  Refusal append_text(const Value& element, std::string& out) const {
    if (element.kind == Kind::null) {
      out += "NULL";
      return {};
    }
    element_text_.clear();
    const Refusal refusal = element_->text(element, element_text_);
    append_quoted(out, element_text_);
    return refusal;
  }

  Refusal read(const Value& value) const {
    if (value.kind == Kind::nested) {
      return value.json.starts_with('[') ? JsonArray(elements_).read(value.json) : kNotAnArray;
    }
    if (value.kind != Kind::string && value.kind != Kind::bytes && value.kind != Kind::literal) {
      return kNotAnArray;
    }
    return ArrayLiteral(elements_, delimiter_).read(value.text);
  }

  static void append_dimension(std::string& out, std::int32_t length, std::int32_t first) {
    append_integer(out, length);
    append_integer(out, first);
  }

  static void patch(std::string& out, std::size_t at, std::int32_t number) {
    const auto bytes = big_endian(number);
    out.replace(at, bytes.size(), bytes.data(), bytes.size());
  }

  EncoderPtr element_;
  Oid element_type_;
  char delimiter_;
  mutable Elements elements_;
  mutable std::string scratch_;
  mutable std::string element_text_;
};

}  // namespace

EncoderPtr make_array(EncoderPtr element, Oid element_type, char delimiter) {
  return std::make_unique<ArrayEncoder>(std::move(element), element_type, delimiter);
}

}  // namespace semel::postgres::encode
