// From the catalogue's type to an encoder, by types' numbers.
#include <cstdint>
#include <optional>
#include <utility>

#include "postgres/encode/encoder.hpp"
#include "record/spell.hpp"

namespace semel::postgres::encode {
namespace {

// pg_type.dat. These numbers never change.
enum : Oid {
  kBool = 16,
  kBytea = 17,
  kName = 19,
  kInt8 = 20,
  kInt2 = 21,
  kInt4 = 23,
  kText = 25,
  kOid = 26,
  kJson = 114,
  kFloat4 = 700,
  kFloat8 = 701,
  kBpchar = 1042,
  kVarchar = 1043,
  kDate = 1082,
  kTime = 1083,
  kTimestamp = 1114,
  kTimestamptz = 1184,
  kTimetz = 1266,
  kNumeric = 1700,
  kUuid = 2950,
  kJsonb = 3802,
};

Choice choose_scalar(Oid type, char kind, std::int32_t modifier, const ChoiceContext& context) {
  if (kind == 'e') return {make_text(), true, Holds::text};  // enum_recv takes the label
  if (kind != 'b') return {make_text(), false, Holds::unknown};
  switch (type) {
    case kBool:
      return {make_bool(), true, Holds::other};
    case kBytea:
      return {make_bytea(), true, Holds::bytes};
    case kName:
      return {make_name(), true, Holds::text};
    case kInt8:
      return {make_int8(), true, Holds::number};
    case kInt2:
      return {make_int2(), true, Holds::number};
    case kInt4:
      return {make_int4(), true, Holds::number};
    case kText:
      return {make_text(), true, Holds::text};
    case kOid:
      return {make_oid(), true, Holds::number};
    case kJson:
      return {make_json(context.is_json), true, Holds::json};
    case kFloat4:
      return {make_float4(), true, Holds::number};
    case kFloat8:
      return {make_float8(), true, Holds::number};
    case kBpchar:
      return {make_bpchar(modifier), true, Holds::text};
    case kVarchar:
      return {make_varchar(modifier), true, Holds::text};
    case kDate:
      return {make_date(), true, Holds::date};
    case kTime:
      return {make_time(), true, Holds::time};
    case kTimetz:
      return {make_timetz(), true, Holds::other};
    case kTimestamp:
      return {make_timestamp(context.epoch_unit), true, Holds::instant};
    case kTimestamptz:
      return {make_timestamptz(context.epoch_unit), true, Holds::instant};
    case kNumeric:
      return {make_numeric(modifier), true, Holds::number};
    case kUuid:
      return {make_uuid(), true, Holds::other};
    case kJsonb:
      return {make_jsonb(context.is_json), true, Holds::json};
    default:
      return {make_text(), false, Holds::unknown};
  }
}

}  // namespace

Choice choose(const Type& type, const ChoiceContext& context) {
  if (type.parts.empty() && type.kind != 'c') {
    return choose_scalar(type.base, type.kind, type.modifier, context);
  }
  // An image is binary all through, or not at all.
  bool binary = true;
  std::vector<Attribute> parts;
  for (std::size_t i = 0; i < type.parts.size(); ++i) {
    auto part = choose(type.parts[i], context);
    binary = binary && part.binary;
    parts.push_back({.name = i < type.names.size() ? type.names[i] : std::string(),
                     .type = type.parts[i].oid,
                     .encoder = std::move(part.encoder)});
  }
  switch (type.kind) {
    case 'a':
      return {make_array(std::move(parts[0].encoder), parts[0].type, type.parts[0].delimiter),
              binary, Holds::nested};
    case 'r':
      return {make_range(std::move(parts[0].encoder)), binary, Holds::other};
    case 'm':
      return {make_multirange(std::move(parts[0].encoder)), binary, Holds::other};
    default:
      return {make_composite(std::move(parts)), binary, Holds::nested};
  }
}

Refusal ValueEncoder::typed(const Value& value, bool as_binary, std::string& out,
                            std::string& scratch) const {
  Refusal refusal;
  if (write_typed(value, as_binary, out, refusal)) return refusal;
  const Value spelled = record::spell(value, scratch);
  return as_binary ? binary(spelled, out) : text(spelled, out);
}

Refusal ValueEncoder::refusal_of(Flaw flaw) {
  switch (flaw) {
    case Flaw::nul:
      return {"22021", "holds a NUL character, which PostgreSQL cannot store"};
    case Flaw::lone_surrogate:
      return {"22P02", "holds half of a surrogate pair"};
    case Flaw::invalid_utf8:
      return {"22021", "is not valid UTF-8"};
    case Flaw::none:
      break;
  }
  return {};
}

}  // namespace semel::postgres::encode
