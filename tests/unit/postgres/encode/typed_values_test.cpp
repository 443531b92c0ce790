// Values of formats that have types: each becomes what the same value becomes as JSON spells it,
// whose images are compared with a server's (tests/integration/postgres_encode).
#include <cmath>
#include <limits>

#include "postgres/encode/encoder.hpp"
#include "table_builder.hpp"

using namespace semel;
using namespace semel::postgres;
using record::Kind;
using record::Value;

namespace {

constexpr std::string_view kUuid("\xa0\xee\xbc\x99\x9c\x0b\x4e\xf8\xbb\x6d\x6b\xb9\xbd\x38\x0a\x11",
                                 16);

Value of(Kind kind, std::int64_t integer) {
  return {.kind = kind, .integer = integer};
}
Value real(double number) {
  Value value{.kind = Kind::real};
  value.real = number;
  return value;
}

/// Every column gets this value.
class TypedFormat final : public record::Format {
 public:
  explicit TypedFormat(Value value) : value_(value) {}
  std::string_view name() const override { return "typed"; }
  bool has_members() const override { return true; }
  bool is_json() const override { return false; }
  std::unique_ptr<record::Decoder> decoder() const override {
    return std::make_unique<TypedDecoder>(value_);
  }

 private:
  class TypedDecoder final : public record::Decoder {
   public:
    explicit TypedDecoder(Value value) : value_(value) {}
    Result<void> bind(std::span<const record::Step>, std::uint32_t, bool) override { return {}; }
    record::Decoded decode(std::string_view, std::span<Value> slots) override {
      for (auto& slot : slots) slot = value_;
      return {};
    }

   private:
    Value value_;
  };

  Value value_;
};

/// As image() of table_builder.hpp, for a typed value.
std::string typed_image(Oid type, const Value& value) {
  RowEncoder encoder =
      encoder_of({column("c", type, "the type")}, {.format = std::make_shared<TypedFormat>(value)});
  std::string out;
  if (encoder.encode(kSource, record_of("x"), out).status == Fate::bad) {
    CHECK(out.empty());
    CHECK(encoder.bad().fault == record::Fault::unfit);
    return encoder.bad().code;
  }
  return hex(out.substr(6));
}

}  // namespace

TEST_CASE("a typed value becomes what the same value as JSON becomes") {
  struct Same {
    Oid type;
    Value value;
    const char* json;
  };
  using namespace std::string_view_literals;
  const Value decimal{.kind = Kind::decimal, .scale = 2, .text = "\x04\xd2"};
  const Value uuid{.kind = Kind::uuid, .text = kUuid};
  const auto moment = of(Kind::moment, 1'706'696'430'123'456);
  const auto local = of(Kind::local_time, 1'706'696'430'123'456);
  for (const auto& [type, value, json] : std::vector<Same>{
           {oid::int2, of(Kind::integer, -7), "-7"},
           {oid::int4, of(Kind::integer, 42), "42"},
           {oid::int8, of(Kind::integer, std::numeric_limits<std::int64_t>::max()),
            "9223372036854775807"},
           {oid::oid, of(Kind::integer, 42), "42"},
           {oid::float8, of(Kind::integer, 42), "42"},
           {oid::numeric, of(Kind::integer, -42), "-42"},
           {oid::text, of(Kind::integer, 42), "42"},
           {oid::jsonb, of(Kind::integer, 42), "42"},
           {oid::timestamptz, of(Kind::integer, 1'706'696'430'123), "1706696430123"},
           {oid::float8, real(0.1), "0.1"},
           {oid::float4, real(0.1), "0.1"},
           {oid::float8, real(std::nan("")), "\"NaN\""},
           {oid::float4, real(-std::numeric_limits<double>::infinity()), "\"-Infinity\""},
           {oid::numeric, real(0.1), "0.1"},
           {oid::json, real(std::nan("")), "\"NaN\""},
           {oid::numeric, decimal, "12.34"},
           {oid::float8, decimal, "12.34"},
           {oid::text, decimal, "12.34"},
           {oid::date, of(Kind::days, 19'753), "\"2024-01-31\""},
           {oid::date, of(Kind::days, -719'893), "\"0002-01-01 BC\""},
           {oid::timestamp, of(Kind::days, 19'753), "\"2024-01-31\""},
           {oid::text, of(Kind::days, 19'753), "\"2024-01-31\""},
           {oid::time, of(Kind::time, 37'230'500'000), "\"10:20:30.5\""},
           {1266, of(Kind::time, 37'230'500'000), "\"10:20:30.5\""},
           {oid::timestamptz, moment, "\"2024-01-31T10:20:30.123456Z\""},
           {oid::timestamp, moment, "\"2024-01-31T10:20:30.123456\""},
           {oid::date, moment, "\"2024-01-31\""},
           {oid::text, moment, "\"2024-01-31T10:20:30.123456Z\""},
           {oid::timestamp, local, "\"2024-01-31T10:20:30.123456\""},
           {oid::timestamptz, local, "\"2024-01-31T10:20:30.123456Z\""},
           {oid::uuid, uuid, "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\""},
           {oid::text, uuid, "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\""},
           // What does not fit is refused alike.
           {oid::int2, of(Kind::integer, 32'768), "32768"},
           {oid::int4, of(Kind::integer, -2'147'483'649), "-2147483649"},
           {oid::int4, real(1.5), "1.5"},
           {oid::float4, real(1e300), "1e300"},
           {oid::float4, real(1e-300), "1e-300"},
           {oid::boolean, of(Kind::days, 0), "\"1970-01-01\""},
           {oid::date, of(Kind::integer, 19'753), "19753"},
           {oid::date, of(Kind::days, 2'145'042'906), "\"5874898-01-01\""},
           {oid::uuid, of(Kind::integer, 1), "1"},
       }) {
    INFO(type << " " << json);
    CHECK(typed_image(type, value) == image(type, json));
  }
  CHECK(typed_image(oid::timestamptz, of(Kind::moment, std::numeric_limits<std::int64_t>::min())) ==
        "22008");
  CHECK(typed_image(oid::time, of(Kind::time, 86'400'000'001)) == "22008");
}

TEST_CASE("a table that goes as text takes typed values as well") {
  for (const auto& [type, value, text] : std::vector<std::tuple<Oid, Value, std::string>>{
           {oid::int4, of(Kind::integer, 42), "42"},
           {oid::timestamptz, of(Kind::moment, 1'706'696'430'500'000),
            "2024-01-31 10:20:30.500000+00"},
           {oid::uuid,
            {.kind = Kind::uuid, .text = kUuid},
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}}) {
    const auto table = table_of({column("c", type, "the type"), column("i", oid::inet, "inet")});
    auto encoder = RowEncoder::make(table, {.format = std::make_shared<TypedFormat>(value)}, true);
    REQUIRE(encoder);
    REQUIRE(encoder->format() == CopyFormat::text);
    std::string out;
    REQUIRE(encoder->encode(kSource, record_of("x"), out).status == Fate::row);
    CHECK(out.substr(0, out.find('\t')) == text);
  }
}

TEST_CASE("a typed value that is refused is shown as it is spelled, and not in a log") {
  RowEncoder encoder =
      encoder_of({column("c", oid::int2, "smallint")},
                 {.format = std::make_shared<TypedFormat>(of(Kind::integer, 99'999))});
  std::string out;
  REQUIRE(encoder.encode(kSource, record_of("x"), out).status == Fate::bad);
  CHECK(encoder.bad().reason == "column \"c\" (smallint): 99999 is out of range");
  CHECK(encoder.bad().told == "column \"c\" (smallint): its value is out of range");
}
