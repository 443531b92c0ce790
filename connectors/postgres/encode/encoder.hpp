// An encoder turns a value into a column's binary image or its text, with one and the same verdict.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "postgres/encode/refusal.hpp"
#include "postgres/options.hpp"
#include "postgres/table/table.hpp"
#include "record/json_text.hpp"
#include "record/reader.hpp"
#include "record/value.hpp"

namespace semel::postgres::encode {

using record::Flaw;
using record::Holds;
using record::JsonCheck;
using record::Kind;
using record::Value;

/// Chosen once per column. A value is neither absent nor null when it gets here, and spelled but
/// for typed(). Where it is refused, what was appended to `out` is the caller's to cut off. Not
/// thread safe (arrays keep a buffer).
class ValueEncoder {
 public:
  virtual ~ValueEncoder() = default;

  /// Appends the length and the binary image.
  Refusal binary(const Value& value, std::string& out) const {
    if (value.flaw != Flaw::none && minds_flaws_) [[unlikely]]
      return refusal_of(value.flaw);
    return write_binary(value, out);
  }
  /// The same of a typed value, as binary image or as text. `scratch` is overwritten.
  Refusal typed(const Value& value, bool as_binary, std::string& out, std::string& scratch) const;
  /// Appends what the type's text input reads, before COPY's escaping.
  Refusal text(const Value& value, std::string& out) const {
    if (value.flaw != Flaw::none && minds_flaws_) [[unlikely]]
      return refusal_of(value.flaw);
    return write_text(value, out);
  }

 protected:
  explicit ValueEncoder(bool minds_flaws = true) : minds_flaws_(minds_flaws) {}
  static Refusal refusal_of(Flaw flaw);

 private:
  virtual Refusal write_binary(const Value& value, std::string& out) const = 0;
  virtual Refusal write_text(const Value& value, std::string& out) const = 0;
  /// False where there is no case for its kind: then it is spelled.
  virtual bool write_typed(const Value& /*value*/, bool /*as_binary*/, std::string& /*out*/,
                           Refusal& /*refusal*/) const {
    return false;
  }

  bool minds_flaws_;
};

using EncoderPtr = std::unique_ptr<const ValueEncoder>;

struct Choice {
  EncoderPtr encoder;
  bool binary = true;  ///< false: the server has to parse text, so the whole table goes as text
  Holds holds = Holds::other;
};

struct ChoiceContext {
  EpochUnit epoch_unit = EpochUnit::milliseconds;
  JsonCheck is_json;
};

/// The encoder for a type, from what the catalogue says of it.
Choice choose(const Type& type, const ChoiceContext& context);

// The families of encoders; each in a file of its own.
EncoderPtr make_bool();
EncoderPtr make_int2();
EncoderPtr make_int4();
EncoderPtr make_int8();
EncoderPtr make_oid();
EncoderPtr make_float4();
EncoderPtr make_float8();
EncoderPtr make_numeric(std::int32_t modifier);
EncoderPtr make_date();
EncoderPtr make_time();
EncoderPtr make_timetz();
EncoderPtr make_timestamp(EpochUnit unit);
EncoderPtr make_timestamptz(EpochUnit unit);
EncoderPtr make_text();
EncoderPtr make_varchar(std::int32_t modifier);
EncoderPtr make_bpchar(std::int32_t modifier);
EncoderPtr make_name();
EncoderPtr make_bytea();
EncoderPtr make_uuid();
EncoderPtr make_json(JsonCheck is_json);
EncoderPtr make_jsonb(JsonCheck is_json);
/// From a JSON array or from PostgreSQL's own spelling in a string: '{1,NULL}'. `element_type`: as
/// declared, perhaps a domain.
EncoderPtr make_array(EncoderPtr element, Oid element_type, char delimiter);
EncoderPtr make_range(EncoderPtr bound);
EncoderPtr make_multirange(EncoderPtr range);

struct Attribute {
  std::string name;
  Oid type = 0;  ///< as declared
  EncoderPtr encoder;
};
EncoderPtr make_composite(std::vector<Attribute> attributes);

/// Whether numeric without a modifier holds a JSON number.
bool fits_numeric(std::string_view number);

/// White space as PostgreSQL's input functions see it.
inline bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/// `text` without white space at both ends.
inline std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

/// How many decimal digits `text` begins with.
inline std::size_t count_digits(std::string_view text) {
  std::size_t count = 0;
  while (count < text.size() && text[count] >= '0' && text[count] <= '9') ++count;
  return count;
}

}  // namespace semel::postgres::encode
