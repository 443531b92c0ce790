#include "catalogue.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace semel::postgres::test {

void create_all_types(Database& database) {
  // Those that need another server, a preloaded library or another extension stay away.
  database.execute(R"(DO $$DECLARE e text; BEGIN
      FOR e IN SELECT name FROM pg_available_extensions ORDER BY 1 LOOP
        BEGIN EXECUTE format('CREATE EXTENSION IF NOT EXISTS %I CASCADE', e);
        EXCEPTION WHEN OTHERS THEN NULL; END;
      END LOOP; END$$;
    CREATE TYPE made_enum AS ENUM ('a', 'x', 'a b');
    CREATE DOMAIN made_domain AS numeric(6,2) CHECK (VALUE > 0);
    CREATE DOMAIN made_array_domain AS int[];
    CREATE TYPE made_of_two AS (a int, b text);
    CREATE DOMAIN made_of_two_domain AS made_of_two;
    CREATE TYPE made_of_all AS (a made_of_two, "B c" made_of_two[], d made_domain, e made_enum,
      t timestamptz, r tstzrange, j jsonb, i inet, z made_of_two_domain);
    CREATE TYPE made_time_range AS RANGE (subtype = timestamptz);
    CREATE TYPE made_text_range AS RANGE (subtype = text))");
}

std::vector<NamedType> all_types(Database& database) {
  std::vector<NamedType> types;
  // The catalogue's own vectors are arrays to json_populate_record and text to us: values.md says
  // so.
  for (const auto& row : database.rows(R"(
      SELECT format_type(t.oid, NULL),
             CASE WHEN t.typsend = 'array_send'::regproc THEN format_type(t.typelem, NULL) END
      FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
      LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typsend = 'array_send'::regproc
      LEFT JOIN pg_class ec ON ec.oid = e.typrelid
      WHERE t.typname !~ '^_?(int2|oid)vector$' AND t.typtype <> 'p' AND t.typisdefined AND coalesce(c.relkind, 'c') = 'c'
        AND coalesce(ec.relkind, 'c') = 'c' AND coalesce(e.typtype, 'b') <> 'p'
      ORDER BY e.oid IS NOT NULL, t.oid)")) {
    types.push_back({row[0], row[1]});
  }
  return types;
}

const std::vector<std::string>& value_pool() {
  static const std::vector<std::string> pool{
      "null",
      "true",
      "false",
      "0",
      "1",
      "-7",
      "2.5",
      "1e3",
      "123456789012",
      "\"\"",
      "\"x\"",
      "\"a b\"",
      "\"t\"",
      "\"12\"",
      "\" 12 \"",
      "\"1.50\"",
      "\"$1,234.56\"",
      "\"-3.5e2\"",
      "\"NaN\"",
      "\"a\\\"b\\\\c\"",
      "\"\\u00e9\"",
      "{}",
      "[]",
      "[1]",
      "{\"a\":1}",
      "{\"a\":1,\"b\":\"x\"}",
      "{\"b\":\"q\\\"u,(\\\\\",\"a\":null}",
      "{\"a\":[1,2]}",
      "{\"a\":{\"a\":1,\"b\":\"y\"},\"B c\":[{\"a\":1},{\"a\":2,\"b\":\"(\"}],\"d\":1.234,\"e\":"
      "\"x\",\"t\":\"2024-01-31T10:20:30\",\"r\":\"[2024-01-01 00:00,2024-02-01 00:00)\",\"j\":{"
      "\"k\":[1]},\"i\":\"10.0.0.1\",\"z\":{\"a\":5}}",
      "\"(1,x)\"",
      "\"(1,\\\"a b\\\")\"",
      "\"(,)\"",
      "\"(1,2)\"",
      "\"((1,2),(3,4))\"",
      "\"[(1,2),(3,4)]\"",
      "\"<(1,2),3>\"",
      "\"{1,2,3}\"",
      "\"1 2 3\"",
      "\"{1,2}\"",
      "\"2024-01-31\"",
      "\"2024-01-31 10:20:30.5\"",
      "\"2024-01-31T10:20:30+05:30\"",
      "\"10:20:30\"",
      "\"10:20:30+02\"",
      "\"infinity\"",
      "\"1 day\"",
      "\"P1DT2H\"",
      "\"1 year 2 mons -3 days 04:05:06.7\"",
      "\"-1 2:03:04\"",
      "\"[1,5)\"",
      "\"(1,5]\"",
      "\"empty\"",
      "\"[1.5,2.5]\"",
      "\"[2024-01-01,2024-02-01)\"",
      "\"[2024-01-01 00:00,2024-02-01 00:00)\"",
      "\"[a,b]\"",
      "\"[\\\"a,\\\",\\\"b\\\"\\\"c\\\")\"",
      "\"(,)\"",
      "\"{[1,5),[7,9)}\"",
      "\"{[2024-01-01,2024-02-01)}\"",
      "\"{[2024-01-01 00:00,2024-02-01 00:00)}\"",
      "\"{}\"",
      "\"101\"",
      "\"10.0.0.1\"",
      "\"10.0.0.0/8\"",
      "\"08:00:2b:01:02:03\"",
      "\"08:00:2b:01:02:03:04:05\"",
      "\"<a>b</a>\"",
      "\"fat & rat\"",
      "\"'a':1 'b':2A\"",
      "\"$.a[*] ? (@ > 1)\"",
      "\"a.b.c\"",
      "\"a.*{1,2}.b\"",
      "\"a & b*\"",
      "\"a=>1, b=>NULL\"",
      "\"1 ~ 2\"",
      "\"1 .. 2\"",
      "\"978-0-393-04002-9\"",
      "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\"",
      "\"\\\\x0102\"",
      "\"pg_class\"",
      "\"pg_catalog.int4\"",
      "\"english\"",
      "\"0/16B3748\"",
      "\"1:2:\"",
      "\"(0,1)\"",
      "\"POINT(1 2)\"",
      "\"BOX(1 2,3 4)\"",
      "\"[1,2,3]\""};
  return pool;
}

std::vector<std::string> arrays_of(const std::vector<std::string>& elements) {
  std::vector<std::string> arrays{"null",       "[]", "[[]]", "[[],[]]", "[null]",      "\"{}\"",
                                  "\"{NULL}\"", "{}", "1",    "\"x\"",   "[[1],[2,3]]", "[1,[2]]"};
  const std::size_t few = std::min<std::size_t>(elements.size(), 5);
  for (std::size_t n = 0; n < few; ++n) {
    // From all over the pool.
    const std::string& element = elements[n * elements.size() / few];
    arrays.push_back("[" + element + "]");
    arrays.push_back("[" + element + ", null," + elements[0] + "]");
    arrays.push_back("[[" + element + "],[" + elements[0] + "]]");
    arrays.push_back("[[[" + element + ",null]]]");
    arrays.push_back("[[" + element + "],[[" + element + "]]]");
  }
  return arrays;
}

std::vector<std::string> own_spelling(Database& database, const std::vector<std::string>& values) {
  database.execute(R"(
    CREATE OR REPLACE FUNCTION spelled(doc text) RETURNS text LANGUAGE plpgsql AS $$
    BEGIN
      RETURN (SELECT to_json(r.c::text)::text FROM json_populate_record(NULL::target, doc::json) r);
    EXCEPTION WHEN OTHERS THEN
      RETURN NULL;
    END $$)");
  std::vector<std::string> spelled;
  for (auto& row : database.rows("SELECT DISTINCT s FROM unnest(" + documents_of(values) +
                                 ") AS doc, spelled(doc) AS s WHERE s IS NOT NULL "
                                 "ORDER BY 1")) {
    spelled.push_back(std::move(row[0]));
  }
  return spelled;
}

}  // namespace semel::postgres::test
