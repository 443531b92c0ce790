// Text types: their binary image is the text itself, in the client encoding (UTF-8).
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "postgres/encode/encoder.hpp"
#include "postgres/encode/wire.hpp"

namespace semel::postgres::encode {
namespace {

class TextEncoder final : public ValueEncoder {
 private:
  Refusal write_binary(const Value& value, std::string& out) const override {
    append_field(out, value.text);
    return {};
  }
  Refusal write_text(const Value& value, std::string& out) const override {
    out.append(value.text);
    return {};
  }
};

/// varchar(n) and bpchar(n): characters beyond n may be spaces, which are cut, as SQL has it. The
/// server pads bpchar.
class LimitedTextEncoder final : public ValueEncoder {
 public:
  explicit LimitedTextEncoder(std::size_t max_characters) : max_(max_characters) {}

 private:
  Refusal write_binary(const Value& value, std::string& out) const override {
    std::string_view text = value.text;
    const Refusal refusal = cut(text);
    if (!refusal) append_field(out, text);
    return refusal;
  }
  Refusal write_text(const Value& value, std::string& out) const override {
    std::string_view text = value.text;
    const Refusal refusal = cut(text);
    if (!refusal) out.append(text);
    return refusal;
  }

  Refusal cut(std::string_view& text) const {
    if (text.size() <= max_) return {};
    std::size_t characters = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      // Bytes that go on with a character begin with the bits 10.
      if ((static_cast<unsigned char>(text[i]) & 0xC0) == 0x80) continue;
      if (++characters <= max_) continue;
      if (text.find_first_not_of(' ', i) != std::string_view::npos) return {"22001", "is too long"};
      text = text.substr(0, i);
      return {};
    }
    return {};
  }

  std::size_t max_;
};

/// PostgreSQL's text input cuts a long name silently; here it is refused, as by its binary input.
class NameEncoder final : public ValueEncoder {
 private:
  static constexpr std::size_t kMaxBytes = 63;

  Refusal write_binary(const Value& value, std::string& out) const override {
    if (value.text.size() > kMaxBytes) return {"42622", "is too long for a name (63 bytes)"};
    append_field(out, value.text);
    return {};
  }
  Refusal write_text(const Value& value, std::string& out) const override {
    if (value.text.size() > kMaxBytes) return {"42622", "is too long for a name (63 bytes)"};
    out.append(value.text);
    return {};
  }
};

/// The length that a modifier says, which counts its own four bytes; without one, none.
EncoderPtr make_limited(std::int32_t modifier) {
  if (modifier < 4) return make_text();
  return std::make_unique<LimitedTextEncoder>(static_cast<std::size_t>(modifier - 4));
}

}  // namespace

EncoderPtr make_text() {
  return std::make_unique<TextEncoder>();
}
EncoderPtr make_varchar(std::int32_t modifier) {
  return make_limited(modifier);
}
EncoderPtr make_bpchar(std::int32_t modifier) {
  return make_limited(modifier);
}
EncoderPtr make_name() {
  return std::make_unique<NameEncoder>();
}

}  // namespace semel::postgres::encode
