// From the catalogue's type to an encoder: the only place that knows types' numbers.
#include <cstdint>
#include <optional>
#include <utility>

#include "postgres/encode/encoder.hpp"

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
  kNumeric = 1700,
  kUuid = 2950,
  kJsonb = 3802,
};

/// The element type that a built-in array type has for certain, or 0.
Oid built_in_element(Oid array_type) {
  switch (array_type) {
    case 199:
      return kJson;
    case 1000:
      return kBool;
    case 1001:
      return kBytea;
    case 1003:
      return kName;
    case 1005:
      return kInt2;
    case 1007:
      return kInt4;
    case 1009:
      return kText;
    case 1014:
      return kBpchar;
    case 1015:
      return kVarchar;
    case 1016:
      return kInt8;
    case 1021:
      return kFloat4;
    case 1022:
      return kFloat8;
    case 1028:
      return kOid;
    case 1115:
      return kTimestamp;
    case 1182:
      return kDate;
    case 1183:
      return kTime;
    case 1185:
      return kTimestamptz;
    case 1231:
      return kNumeric;
    case 2951:
      return kUuid;
    case 3807:
      return kJsonb;
    default:
      return 0;
  }
}

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
      return {make_date(), true, Holds::instant};
    case kTime:
      return {make_time(), true, Holds::other};
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

Choice choose(const Column& column, const ChoiceContext& context) {
  if (column.element_type == 0) {
    return choose_scalar(column.base_type, column.type_kind, column.base_modifier, context);
  }
  Choice element =
      choose_scalar(column.element_type, column.element_kind, column.base_modifier, context);
  // array_recv compares the element type as declared: a domain's own number, where it is one.
  Oid declared = column.declared_element_type;
  if (declared == 0) declared = built_in_element(column.base_type);
  const bool binary = element.binary && declared != 0;
  return {make_array(std::move(element.encoder), declared), binary, Holds::other};
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
