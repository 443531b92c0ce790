// The shape that most encoders have: parse once, then write the image or the text.
#pragma once

#include <string>
#include <utility>

#include "postgres/encode/encoder.hpp"
#include "postgres/encode/wire.hpp"

namespace semel::postgres::encode {

/// `Codec` has: an integer type Image; parse(value, Image&) -> Refusal; and either
/// write_text(Image, out) or nothing, where the trimmed text itself is what the server can read.
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

  Codec codec_;
};

}  // namespace semel::postgres::encode
