// The shape that most encoders have: parse once, then write the image or the text.
#pragma once

#include <string>
#include <utility>

#include "postgres/encode/encoder.hpp"
#include "postgres/encode/wire.hpp"

namespace semel::postgres::encode {

/// `Codec` has: an integer type Image; parse(value, Image&) -> Refusal; and either
/// write_text(Image, out) or nothing, where the trimmed text itself is what the server can read.
/// For typed values it may have parse_typed(value, Image&, Refusal&) -> bool: false where it has no
/// case.
template <class Codec>
class FixedSize final : public ValueEncoder {
 public:
  explicit FixedSize(Codec codec = {}) : codec_(std::move(codec)) {}

 private:
  Refusal write_binary(const Value& value, std::string& out) const override {
    typename Codec::Image image{};
    const Refusal refusal = codec_.parse(value, image);
    if (!refusal) append_field(out, image);
    return refusal;
  }

  Refusal write_text(const Value& value, std::string& out) const override {
    typename Codec::Image image{};
    const Refusal refusal = codec_.parse(value, image);
    if (refusal) return refusal;
    if constexpr (requires { codec_.write_text(image, out); }) {
      codec_.write_text(image, out);
    } else {
      out.append(trim(value.text));
    }
    return refusal;
  }

  bool write_typed(const Value& value, bool as_binary, std::string& out,
                   Refusal& refusal) const override {
    [[maybe_unused]] typename Codec::Image image{};
    if constexpr (requires { codec_.parse_typed(value, image, refusal); }) {
      if (!codec_.parse_typed(value, image, refusal)) return false;
      if (refusal) return true;
      if (as_binary) {
        append_field(out, image);
        return true;
      }
      if constexpr (requires { codec_.write_text(image, out); }) {
        codec_.write_text(image, out);
        return true;
      }
    }
    return false;
  }

  Codec codec_;
};

}  // namespace semel::postgres::encode
