// Which bytes are JSON: the encoder and PostgreSQL agree, whatever was broken.
#include <fmt/format.h>

#include "differential.hpp"
#include "generator.hpp"
#include "support/catch.hpp"

using namespace semel::postgres;
using namespace semel::postgres::test;

namespace {

std::string hex(const std::string& bytes) {
  std::string result;
  for (const char c : bytes) result += fmt::format("{:02x}", c & 0xFF);
  return result;
}

RowEncoder reader_of_nothing() {
  const Column column{.name = "absent", .type = {.oid = 25, .base = 25}, .type_name = "text"};
  auto encoder = RowEncoder::make({.schema = "s", .name = "t", .columns = {column}}, {});
  REQUIRE(encoder);
  return std::move(*encoder);
}

}  // namespace

TEST_CASE("documents that PostgreSQL calls JSON objects are rows, and no others") {
  Generator generator(seeds({20'260'131}).back());
  Database database;
  database.execute(R"(
    CREATE TABLE docs (n int, doc bytea);
    CREATE FUNCTION is_object(doc bytea) RETURNS text LANGUAGE plpgsql AS $$
    BEGIN
      RETURN json_typeof(convert_from(doc, 'UTF8')::json) = 'object';
    EXCEPTION WHEN OTHERS THEN
      RETURN 'false';
    END $$)");
  const std::string alphabet = "{}[]\",:\\ \t\n019-+.eEtrufalsn/b\x01\x7f\xc3\xa4\xff";
  std::vector<std::string> documents;
  std::string data;
  for (int n = 0; n < 6000; ++n) {
    std::string document =
        "{\"a\":" + generator.json_value(3) + ",\"b\":" + generator.json_value(2) + "}";
    for (auto count = generator.between(0, 2); count > 0; --count) {
      document = generator.mutate(document, alphabet);
    }
    data += fmt::format("{}\t\\\\x{}\n", n, hex(document));
    documents.push_back(std::move(document));
  }
  REQUIRE(database.copy("COPY docs FROM STDIN", data).empty());
  const auto results = database.rows("SELECT is_object(doc) FROM docs ORDER BY n");

  RowEncoder encoder = reader_of_nothing();
  std::size_t good = 0;
  for (std::size_t n = 0; n < documents.size(); ++n) {
    std::string out;
    const Encoded encoded = encoder.encode({"t", 0}, {.value = documents[n]}, out);
    // An object whose members have no column is bad for a reason of its own.
    const bool row = encoded.status == Fate::row || encoder.bad().code == "42703";
    if (row) ++good;
    INFO(documents[n]);
    CHECK(row == (results[n][0] == "true"));
  }
  CHECK(good > documents.size() / 10);
  CHECK(good < documents.size());
}
