// Ranges and multiranges, from PostgreSQL's own spelling: '[1,5)', '{[1,5),[7,9)}'. Their bounds go
// through the encoder of what they are ranges of, so that none depends on a setting of the session.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "postgres/encode/encoder.hpp"
#include "postgres/encode/literal.hpp"
#include "postgres/encode/wire.hpp"

namespace semel::postgres::encode {
namespace {

constexpr Refusal kNotARange{"22P02", "is not a range: [from,until)"};
constexpr Refusal kNotAMultirange{"22P02", "is not a multirange: {[from,until),...}"};

// rangetypes.h
enum : unsigned {
  kEmpty = 0x01,
  kIncludesLower = 0x02,
  kIncludesUpper = 0x04,
  kNoLower = 0x08,
  kNoUpper = 0x10,
};

bool is_empty(std::string_view text) {
  constexpr std::string_view word = "empty";
  if (text.size() != word.size()) return false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if ((text[i] | 0x20) != word[i]) return false;
  }
  return true;
}

class RangeEncoder final : public ValueEncoder {
 public:
  explicit RangeEncoder(EncoderPtr bound) : bound_(std::move(bound)) {}

 private:
  struct Parsed {
    unsigned flags = 0;
    std::array<Value, 2> bounds;
  };

  Refusal write_binary(const Value& value, std::string& out) const override {
    Parsed range;
    if (const Refusal refusal = parse(value, range)) return refusal;
    const LengthPrefix length(out);
    out += static_cast<char>(range.flags);
    if ((range.flags & (kEmpty | kNoLower)) == 0) {
      if (const Refusal refusal = bound_->binary(range.bounds[0], out)) return refusal;
    }
    if ((range.flags & (kEmpty | kNoUpper)) == 0) {
      if (const Refusal refusal = bound_->binary(range.bounds[1], out)) return refusal;
    }
    length.close();
    return {};
  }

  Refusal write_text(const Value& value, std::string& out) const override {
    Parsed range;
    if (const Refusal refusal = parse(value, range)) return refusal;
    if ((range.flags & kEmpty) != 0) {
      out += "empty";
      return {};
    }
    out += (range.flags & kIncludesLower) != 0 ? '[' : '(';
    if ((range.flags & kNoLower) == 0) {
      if (const Refusal refusal = append_bound(range.bounds[0], out)) return refusal;
    }
    out += ',';
    if ((range.flags & kNoUpper) == 0) {
      if (const Refusal refusal = append_bound(range.bounds[1], out)) return refusal;
    }
    out += (range.flags & kIncludesUpper) != 0 ? ']' : ')';
    return {};
  }

  Refusal append_bound(const Value& bound, std::string& out) const {
    text_.clear();
    const Refusal refusal = bound_->text(bound, text_);
    if (!refusal) append_quoted(out, text_);
    return refusal;
  }

  Refusal parse(const Value& value, Parsed& range) const {
    std::string_view rest = trim(value.text);
    if (is_empty(rest)) {
      range.flags = kEmpty;
      return {};
    }
    if (!rest.starts_with('[') && !rest.starts_with('(')) return kNotARange;
    if (rest.front() == '[') range.flags |= kIncludesLower;
    rest.remove_prefix(1);
    scratch_.clear();
    scratch_.reserve(rest.size());  // the bounds are views into it
    if (!take_bound(rest, range.bounds[0], range.flags, kNoLower) || rest.front() != ',') {
      return kNotARange;
    }
    rest.remove_prefix(1);
    if (!take_bound(rest, range.bounds[1], range.flags, kNoUpper) || rest.front() == ',') {
      return kNotARange;
    }
    if (rest.front() == ']') range.flags |= kIncludesUpper;
    return rest.size() == 1 ? Refusal{} : kNotARange;
  }

  bool take_bound(std::string_view& rest, Value& bound, unsigned& flags, unsigned none) const {
    constexpr std::string_view stops = ",)]";
    if (!rest.empty() && stops.find(rest.front()) != std::string_view::npos) {
      flags |= none;
      return true;
    }
    const std::size_t start = scratch_.size();
    if (!take_field(rest, stops, scratch_)) return false;
    bound = {.kind = Kind::literal, .text = std::string_view(scratch_).substr(start)};
    return true;
  }

  EncoderPtr bound_;
  mutable std::string scratch_;
  mutable std::string text_;
};

class MultirangeEncoder final : public ValueEncoder {
 public:
  explicit MultirangeEncoder(EncoderPtr range) : range_(std::move(range)) {}

 private:
  Refusal write_binary(const Value& value, std::string& out) const override {
    const LengthPrefix length(out);
    const std::size_t at = out.size();
    append_integer(out, std::int32_t{0});
    std::int32_t count = 0;
    const Refusal refusal = for_each(value.text, [&](const Value& range) {
      ++count;
      return range_->binary(range, out);
    });
    if (refusal) return refusal;
    const auto bytes = big_endian(count);
    out.replace(at, bytes.size(), bytes.data(), bytes.size());
    length.close();
    return {};
  }

  Refusal write_text(const Value& value, std::string& out) const override {
    out += '{';
    bool first = true;
    const Refusal refusal = for_each(value.text, [&](const Value& range) {
      if (!std::exchange(first, false)) out += ',';
      return range_->text(range, out);
    });
    out += '}';
    return refusal;
  }

  template <class OnRange>
  static Refusal for_each(std::string_view text, OnRange on_range) {
    std::string_view rest = trim(text);
    if (rest.size() < 2 || rest.front() != '{' || rest.back() != '}') return kNotAMultirange;
    rest = trim(rest.substr(1, rest.size() - 2));
    while (!rest.empty()) {
      const std::size_t length = range_length(rest);
      if (length == 0) return kNotAMultirange;
      const Value range{.kind = Kind::literal, .text = rest.substr(0, length)};
      if (const Refusal refusal = on_range(range)) return refusal;
      rest = skip_space(rest.substr(length));
      if (rest.empty()) break;
      if (rest.front() != ',') return kNotAMultirange;
      rest = skip_space(rest.substr(1));
      if (rest.empty()) return kNotAMultirange;
    }
    return {};
  }

  /// Of the range that `text` begins with; 0 where it does not end.
  static std::size_t range_length(std::string_view text) {
    if (text.front() != '[' && text.front() != '(') {
      constexpr std::size_t empty = 5;
      return is_empty(text.substr(0, empty)) ? empty : 0;
    }
    bool quoted = false;
    for (std::size_t i = 1; i < text.size(); ++i) {
      if (text[i] == '\\') {
        ++i;
      } else if (text[i] == '"') {
        quoted = !quoted;
      } else if (!quoted && (text[i] == ']' || text[i] == ')')) {
        return i + 1;
      }
    }
    return 0;
  }

  EncoderPtr range_;
};

}  // namespace

EncoderPtr make_range(EncoderPtr bound) {
  return std::make_unique<RangeEncoder>(std::move(bound));
}
EncoderPtr make_multirange(EncoderPtr range) {
  return std::make_unique<MultirangeEncoder>(std::move(range));
}

}  // namespace semel::postgres::encode
