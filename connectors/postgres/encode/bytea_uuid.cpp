// bytea and uuid.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "postgres/encode/encoder.hpp"
#include "postgres/encode/wire.hpp"

namespace semel::postgres::encode {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Text in PostgreSQL's two spellings; key, value and headers as they are.
class ByteaEncoder final : public ValueEncoder {
 public:
  ByteaEncoder() : ValueEncoder(false) {}

 private:
  Refusal write_binary(const Value& value, std::string& out) const override {
    if (value.kind == Kind::bytes) {
      append_field(out, value.text);
      return {};
    }
    if (value.flaw != Flaw::none) return refusal_of(value.flaw);
    const LengthPrefix length(out);
    const Refusal refusal = parse(value.text, out);
    length.close();
    return refusal;
  }

  Refusal write_text(const Value& value, std::string& out) const override {
    if (value.kind != Kind::bytes) {
      if (value.flaw != Flaw::none) return refusal_of(value.flaw);
      const std::size_t start = out.size();
      const Refusal refusal = parse(value.text, out);
      out.resize(start);
      if (!refusal) out.append(value.text);
      return refusal;
    }
    out += "\\x";
    for (const char c : value.text) {
      const auto byte = static_cast<unsigned char>(c);
      out += kHexDigits[byte >> 4];
      out += kHexDigits[byte & 15];
    }
    return {};
  }

  static Refusal parse(std::string_view text, std::string& out) {
    return text.starts_with("\\x") ? parse_hex(text.substr(2), out) : parse_escapes(text, out);
  }

  static Refusal parse_hex(std::string_view text, std::string& out) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if (c == ' ' || c == '\n' || c == '\t' || c == '\r') continue;
      const int high = hex_digit(c);
      if (high < 0) return {"22023", "has a character that is no hexadecimal digit"};
      if (++i == text.size()) return {"22023", "has an odd number of hexadecimal digits"};
      const int low = hex_digit(text[i]);
      if (low < 0) return {"22023", "has a character that is no hexadecimal digit"};
      out += static_cast<char>(high << 4 | low);
    }
    return {};
  }

  static Refusal parse_escapes(std::string_view text, std::string& out) {
    static constexpr Refusal bad{"22P02",
                                 "is not a bytea: a backslash begins neither \\\\ nor \\ooo"};
    const auto octal = [](char c) { return c >= '0' && c <= '7'; };
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\') {
        out += text[i];
      } else if (i + 1 < text.size() && text[i + 1] == '\\') {
        out += '\\';
        ++i;
      } else if (i + 3 < text.size() && text[i + 1] <= '3' && octal(text[i + 1]) &&
                 octal(text[i + 2]) && octal(text[i + 3])) {
        out += static_cast<char>((text[i + 1] - '0') << 6 | (text[i + 2] - '0') << 3 |
                                 (text[i + 3] - '0'));
        i += 3;
      } else {
        return bad;
      }
    }
    return {};
  }
};

/// Braces round it, and a hyphen after any four digits, as uuid_in has it.
class UuidEncoder final : public ValueEncoder {
 private:
  bool write_typed(const Value& value, bool as_binary, std::string& out,
                   Refusal& /*refusal*/) const override {
    if (value.kind != Kind::uuid || !as_binary) return false;
    append_field(out, value.text);
    return true;
  }

  Refusal write_binary(const Value& value, std::string& out) const override {
    std::array<char, 16> image;
    const Refusal refusal = parse(value.text, image);
    if (!refusal) append_field(out, std::string_view(image.data(), image.size()));
    return refusal;
  }

  Refusal write_text(const Value& value, std::string& out) const override {
    std::array<char, 16> image;
    const Refusal refusal = parse(value.text, image);
    if (!refusal) out.append(value.text);
    return refusal;
  }

  static Refusal parse(std::string_view text, std::array<char, 16>& image) {
    static constexpr Refusal bad{"22P02", "is not a UUID"};
    const bool braces = text.starts_with('{');
    if (braces) text.remove_prefix(1);
    for (std::size_t i = 0; i < image.size(); ++i) {
      if (text.size() < 2) return bad;
      const int high = hex_digit(text[0]);
      const int low = hex_digit(text[1]);
      if (high < 0 || low < 0) return bad;
      image[i] = static_cast<char>(high << 4 | low);
      text.remove_prefix(2);
      if (i % 2 == 1 && i + 1 < image.size() && text.starts_with('-')) text.remove_prefix(1);
    }
    return text == (braces ? "}" : "") ? Refusal{} : bad;
  }
};

}  // namespace

EncoderPtr make_bytea() {
  return std::make_unique<ByteaEncoder>();
}
EncoderPtr make_uuid() {
  return std::make_unique<UuidEncoder>();
}

}  // namespace semel::postgres::encode
