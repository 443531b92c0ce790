// json and jsonb: the value's own text where it came as JSON.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "postgres/encode/encoder.hpp"
#include "postgres/encode/wire.hpp"
#include "record/json_text.hpp"

namespace semel::postgres::encode {
namespace {

using record::append_json_string;
using record::escape_flaw;

/// Whether numeric, as which jsonb stores numbers, can hold all of a valid JSON's.
bool numbers_fit(std::string_view json) {
  for (std::size_t i = 0; i < json.size();) {
    const char c = json[i];
    if (c == '"') {
      for (++i; json[i] != '"'; ++i) {
        if (json[i] == '\\') ++i;
      }
      ++i;
    } else if (c == '-' || (c >= '0' && c <= '9')) {
      const std::size_t end = std::min(json.find_first_not_of("+-.0123456789Ee", i), json.size());
      if (!fits_numeric(json.substr(i, end - i))) return false;
      i = end;
    } else {
      ++i;
    }
  }
  return true;
}

class JsonEncoder final : public ValueEncoder {
 public:
  JsonEncoder(bool binary_json, JsonCheck is_json)
      : ValueEncoder(false), binary_json_(binary_json), is_json_(std::move(is_json)) {}

 private:
  Refusal write_binary(const Value& value, std::string& out) const override {
    const LengthPrefix length(out);
    if (binary_json_) out += '\1';  // the version of jsonb's binary format
    const Refusal refusal = write_text(value, out);
    length.close();
    return refusal;
  }

  Refusal write_text(const Value& value, std::string& out) const override {
    const std::size_t start = out.size();
    if (!value.json.empty()) {
      out.append(value.json);
    } else if (value.kind == Kind::bytes || value.kind == Kind::literal) {
      if (value.flaw != Flaw::none) return refusal_of(value.flaw);
      if (!is_json_(value.text)) return {"22P02", "is not JSON"};
      out.append(value.text);
    } else {
      append_json_string(out, value.text);
    }
    if (!binary_json_) return {};
    // json keeps escapes as they are written; jsonb has to store what they mean.
    const std::string_view json = std::string_view(out).substr(start);
    if (!numbers_fit(json)) return {"22003", "holds a number that is out of range for jsonb"};
    switch (escape_flaw(json)) {
      case Flaw::nul:
        return {"22P05", "holds \\u0000, which jsonb cannot store"};
      case Flaw::lone_surrogate:
        return {"22P02", "holds half of a surrogate pair"};
      default:
        return {};
    }
  }

  bool binary_json_;
  JsonCheck is_json_;
};

}  // namespace

EncoderPtr make_json(JsonCheck is_json) {
  return std::make_unique<JsonEncoder>(false, std::move(is_json));
}
EncoderPtr make_jsonb(JsonCheck is_json) {
  return std::make_unique<JsonEncoder>(true, std::move(is_json));
}

}  // namespace semel::postgres::encode
