// One-dimensional arrays of anything that has an encoder.
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "postgres/encode/encoder.hpp"
#include "postgres/encode/json_text.hpp"
#include "postgres/encode/wire.hpp"

namespace semel::postgres::encode {
namespace {

constexpr Refusal kNotAnArray{"22P02", "is not an array"};
constexpr Refusal kMoreDimensions{"0A000", "is an array of arrays: one dimension is supported"};

/// The elements of PostgreSQL's own spelling: {1,"a b",NULL}. Not thread safe.
class LiteralElements {
 public:
  explicit LiteralElements(std::string_view literal) : rest_(trim(literal)) {
    if (rest_.size() < 2 || rest_.front() != '{' || rest_.back() != '}') {
      error_ = kNotAnArray;
      return;
    }
    rest_ = rest_.substr(1, rest_.size() - 2);
    done_ = trim(rest_).empty();
  }

  /// False at the end and at an error: then error() says which.
  bool next(Value& value, std::string& scratch) {
    if (done_ || error_) return false;
    rest_ = skip_space(rest_);
    scratch.clear();
    const bool quoted = rest_.starts_with('"');
    if (!(quoted ? take_quoted(scratch) : take_plain(scratch))) return false;
    value = {.kind = Kind::literal, .text = scratch};
    if (!quoted && scratch.size() == 4 && (scratch[0] | 0x20) == 'n' &&
        (scratch[1] | 0x20) == 'u' && (scratch[2] | 0x20) == 'l' && (scratch[3] | 0x20) == 'l' &&
        !escaped_) {
      value.kind = Kind::null;
    }
    return true;
  }

  Refusal error() const { return error_; }

 private:
  static std::string_view skip_space(std::string_view text) {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    return text;
  }

  bool fail(Refusal why = kNotAnArray) {
    error_ = why;
    return false;
  }

  bool take_quoted(std::string& out) {
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      if (rest_[i] == '"') {
        rest_ = skip_space(rest_.substr(i + 1));
        return take_delimiter();
      }
      if (rest_[i] == '\\' && ++i == rest_.size()) break;
      out += rest_[i];
    }
    return fail();
  }

  bool take_plain(std::string& out) {
    escaped_ = false;
    std::size_t significant = 0;  // up to the last character that is no white space
    std::size_t i = 0;
    for (; i < rest_.size() && rest_[i] != ','; ++i) {
      char c = rest_[i];
      if (c == '{') return fail(kMoreDimensions);
      if (c == '}' || c == '"') return fail();
      const bool space = is_space(c);
      if (c == '\\') {
        if (++i == rest_.size()) return fail();
        c = rest_[i];
        escaped_ = true;
      }
      out += c;
      if (!space) significant = out.size();
    }
    out.resize(significant);
    if (out.empty()) return fail();
    rest_.remove_prefix(i);
    return take_delimiter();
  }

  bool take_delimiter() {
    if (rest_.empty()) {
      done_ = true;
      return true;
    }
    if (rest_.front() != ',') return fail();
    rest_.remove_prefix(1);
    return true;
  }

  std::string_view rest_;
  bool done_ = false;
  bool escaped_ = false;
  Refusal error_;
};

class ArrayEncoder final : public ValueEncoder {
 public:
  ArrayEncoder(EncoderPtr element, Oid element_type)
      : element_(std::move(element)), element_type_(element_type) {}

 private:
  Refusal write_binary(const Value& value, std::string& out) const override {
    const LengthPrefix length(out);
    const std::size_t header = out.size();
    append_integer(out, std::int32_t{0});  // dimensions
    append_integer(out, std::int32_t{0});  // whether there are NULLs
    append_integer(out, element_type_);
    std::int32_t count = 0;
    bool has_null = false;
    const Refusal refusal = for_each(value, [&](const Value& element) -> Refusal {
      if (count++ == 0) {
        append_integer(out, std::int32_t{0});  // the number of elements
        append_integer(out, std::int32_t{1});  // the first index
      }
      if (element.kind != Kind::null) return element_->binary(element, out);
      has_null = true;
      append_null_field(out);
      return {};
    });
    if (refusal) return refusal;
    if (count != 0) {
      patch(out, header, 1);
      patch(out, header + 4, has_null ? 1 : 0);
      patch(out, header + 12, count);
    }
    length.close();
    return {};
  }

  Refusal write_text(const Value& value, std::string& out) const override {
    out += '{';
    bool first = true;
    const Refusal refusal = for_each(value, [&](const Value& element) -> Refusal {
      if (!std::exchange(first, false)) out += ',';
      if (element.kind == Kind::null) {
        out += "NULL";
        return {};
      }
      element_text_.clear();
      const Refusal why = element_->text(element, element_text_);
      out += '"';
      for (const char c : element_text_) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
      }
      out += '"';
      return why;
    });
    out += '}';
    return refusal;
  }

  template <class OnElement>
  Refusal for_each(const Value& value, OnElement on_element) const {
    Value element;
    if (value.kind == Kind::nested && value.json.starts_with('[')) {
      ArrayElements elements(value.json);
      scratch_.clear();
      while (elements.next(element, scratch_)) {
        if (element.json.starts_with('[')) return kMoreDimensions;
        if (const Refusal refusal = on_element(element)) return refusal;
        scratch_.clear();
      }
      return {};
    }
    if (value.kind != Kind::string && value.kind != Kind::bytes) return kNotAnArray;
    LiteralElements elements(value.text);
    while (elements.next(element, scratch_)) {
      if (const Refusal refusal = on_element(element)) return refusal;
    }
    return elements.error();
  }

  static void patch(std::string& out, std::size_t at, std::int32_t number) {
    const auto bytes = big_endian(number);
    out.replace(at, bytes.size(), bytes.data(), bytes.size());
  }

  EncoderPtr element_;
  Oid element_type_;
  mutable std::string scratch_;
  mutable std::string element_text_;
};

}  // namespace

EncoderPtr make_array(EncoderPtr element, Oid element_type) {
  return std::make_unique<ArrayEncoder>(std::move(element), element_type);
}

}  // namespace semel::postgres::encode
