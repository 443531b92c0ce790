#include "shapes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "events.hpp"

namespace semel::shapes {
namespace {

using demo::append_event;
using demo::mixed;
using postgres::Column;
using postgres::Oid;

template <class... Values>
void put(std::string& out, fmt::format_string<Values...> format, Values&&... values) {
  fmt::format_to(std::back_inserter(out), format, std::forward<Values>(values)...);
}

void put_uuid(std::string& out, std::int64_t id) {
  const std::uint64_t high = mixed(id);
  const std::uint64_t low = mixed(-id - 1);
  put(out, "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, high >> 16 & 0xFFFF, high & 0xFFFF,
      low >> 48, low & 0xFFFFFFFFFFFF);
}

std::string day_of(std::uint64_t random) {
  return fmt::format("20{:02}-{:02}-{:02}", 10 + random % 20, 1 + (random >> 8) % 12,
                     1 + (random >> 16) % 28);
}

std::string time_of(std::uint64_t random) {
  return fmt::format("{:02}:{:02}:{:02}.{:06}", random % 24, (random >> 8) % 60,
                     (random >> 16) % 60, (random >> 24) % 1'000'000);
}

// -- tiny
// ------------------------------------------------------------------------------------------

void append_tiny(std::int64_t id, std::string& out) {
  put(out, R"({{"id":{},"tag":"{:07x}"}})", 1'000'000 + id % 1'000'000, mixed(id) & 0xFFFFFFF);
}

// -- wide: every fifth column of a kind, some null, some missing
// -----------------------------------

constexpr int wide_columns = 40;
constexpr int wide_kinds = 8;

std::string wide_name(int column) {
  static constexpr std::array<std::string_view, wide_kinds> kinds = {
      "counter", "label", "measurement", "is_set", "changed_at", "level", "price", "day"};
  return fmt::format("{}_{:02}", kinds[static_cast<std::size_t>(column % wide_kinds)], column);
}

void append_wide_value(int column, std::uint64_t random, std::string& out) {
  switch (column % wide_kinds) {
    case 0:
      return put(out, "{}", random % 10'000'000'000);
    case 1:
      return put(out, R"("label {} of a kind")", random % 100'000);
    case 2:
      return put(out, "{}.{:03}", random % 10'000, (random >> 20) % 1'000);
    case 3:
      return put(out, "{}", random % 2 == 0);
    case 4:
      return put(out, R"("{}T{}+01:00")", day_of(random), time_of(random >> 24));
    case 5:
      return put(out, "{}", static_cast<int>(random % 200'000) - 100'000);
    case 6:
      return put(out, R"("{}.{:02}")", random % 100'000, (random >> 20) % 100);
    default:
      return put(out, R"("{}")", day_of(random));
  }
}

void append_wide(std::int64_t id, std::string& out) {
  out += '{';
  const std::size_t begin = out.size();
  for (int column = 0; column < wide_columns; ++column) {
    const std::uint64_t random = mixed(id * wide_columns + column);
    if (column != 0 && random % 20 == 0) continue;
    if (out.size() != begin) out += ',';
    put(out, R"("{}":)", wide_name(column));
    if (column != 0 && random % 20 == 1) {
      out += "null";
    } else {
      append_wide_value(column, random >> 8, out);
    }
  }
  out += '}';
}

// -- large: a text of 100 KiB with line breaks, which are escaped, and letters beyond ASCII
// --------

void append_large(std::int64_t id, std::string& out) {
  constexpr std::size_t bytes = std::size_t{100} * 1024;
  put(out, R"({{"id":{},"body":")", id);
  const std::size_t begin = out.size();
  for (std::uint64_t line = 0; out.size() - begin < bytes; ++line) {
    put(out, R"(line {} of a long text \u2013 naïve, but typical of what people store {:x}\n)",
        line, mixed(id + static_cast<std::int64_t>(line)));
  }
  out += R"("})";
}

// -- types: one column of every type with an encoder of its own
// ------------------------------------

void append_types(std::int64_t id, std::string& out) {
  const std::uint64_t random = mixed(id);
  put(out, R"({{"id":"{}","amount":{}.{:03},"exact":-{}.{}e-2,)", id, random % 1'000'000,
      (random >> 20) % 1'000, (random >> 10) % 1'000'000, random);
  out += R"("key":")";
  put_uuid(out, id);
  put(out, R"(","bytes":"\\x{:016x}{:016x}",)", random, mixed(id + 1));
  put(out, R"("document":{{"a":[1,2.5,{{"b":null}}],"text":"caf\u00e9 {}","n":{}}},)", random % 100,
      random);
  put(out, R"("source":[{},"two",{{"three":3}}],)", random % 100);
  put(out, R"("day":"{}","at":"{}",)", day_of(random), time_of(random >> 24));
  put(out, R"("local":"{} {}",)", day_of(random >> 8), time_of(random >> 16));
  put(out, R"("moment":{},)", 1'600'000'000'000 + random % 100'000'000'000);
  put(out, R"("numbers":[{},{},null,{}],)", random % 1'000, -static_cast<int>(random >> 40 & 0xFFF),
      random >> 50);
  put(out, R"("words":["one {}","two, \"quoted\"",null],)", random % 10);
  put(out, R"("small":{},"ratio":{}.25,"ok":{},)", random % 30'000, (random >> 8) % 1'000,
      random % 2 == 0);
  put(out, R"("code":"{:012x}","object":{}}})", random >> 16, random >> 40);
}

// -- mapped: columns from nested places and from the record itself
// ---------------------------------

void append_mapped(std::int64_t id, std::string& out) {
  const std::uint64_t random = mixed(id);
  put(out, R"({{"meta":{{"version":3,"trace":"{:016x}","unused":[1,2,{{"deep":true}}]}},)", random);
  put(out, R"("user":{{"id":{},"name":"user {}","address":{{"street":"{} High Street",)",
      random % 100'000, random % 1'000, random % 200);
  put(out, R"("city":"Town {}","zip":"{:05}"}}}},)", random % 500, random % 100'000);
  put(out, R"("order":{{"id":{},"lines":[{{"sku":"a-{}","price":{}.{:02}}},)", id, random % 10'000,
      (random >> 20) % 1'000, (random >> 32) % 100);
  put(out, R"({{"sku":"b-{}","price":7}}]}},"tags":["new","tag {}"]}})", (random >> 8) % 10'000,
      random % 10);
}

void mapped_headers(const void* /*message*/, std::vector<Header>& headers) {
  headers.push_back({"trace", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"});
  headers.push_back({"content-type", "application/json"});
}

// -- text: a type that the server has to parse, so that the whole table goes as text
// ---------------

void append_text(std::int64_t id, std::string& out) {
  append_event(id, out);
  out.pop_back();
  const std::uint64_t random = mixed(id);
  put(out, R"(,"client":"10.{}.{}.{}","path":"C:\\temp\\{}"}})", random % 256, (random >> 8) % 256,
      (random >> 16) % 256, random % 1'000);
}

// -- dead: 1 % of the events are bad, each in one of the ways that people meet
// ---------------------

constexpr std::int64_t dead_every = 100;

void append_dead(std::int64_t id, std::string& out) {
  const std::size_t begin = out.size();
  append_event(id, out);
  if (id % dead_every != dead_every - 1) return;
  const auto replace = [&](std::string_view old, std::string_view by) {
    out.replace(out.find(old, begin), old.size(), by);
  };
  switch (id / dead_every % 4) {
    case 0:
      return out.resize(begin + (out.size() - begin) / 2);  // cut off
    case 1:
      return replace(R"("id":)", R"("id":1e)");  // out of range
    case 2:
      return replace("2026-", "2026-99-");  // no date
    default:
      return replace("\"note\":\"", "\"note\":\"\xff");  // not UTF-8
  }
}

// -- tables
// ----------------------------------------------------------------------------------------

Column column(std::string name, Oid type, std::string type_name, std::int32_t modifier = -1) {
  return {.name = std::move(name),
          .type = {.oid = type, .base = type, .modifier = modifier},
          .type_name = std::move(type_name)};
}

Column array(std::string name, Oid type, std::string type_name, Oid element) {
  Column result = column(std::move(name), type, std::move(type_name));
  result.type.kind = 'a';
  result.type.parts = {{.oid = element, .base = element}};
  return result;
}

Column bigint(std::string name) {
  return column(std::move(name), 20, "bigint");
}
Column text(std::string name) {
  return column(std::move(name), 25, "text");
}
Column timestamptz(std::string name) {
  return column(std::move(name), 1184, "timestamp with time zone");
}
Column numeric(std::string name, int precision, int scale) {
  return column(std::move(name), 1700, fmt::format("numeric({},{})", precision, scale),
                (precision << 16 | scale) + 4);
}

std::vector<Column> event_columns() {
  return {bigint("id"),
          bigint("user_id"),
          text("kind"),
          column("amount", 701, "double precision"),
          timestamptz("ts"),
          text("note"),
          column("ok", 16, "boolean")};
}

std::vector<Column> wide_columns_of_table() {
  std::vector<Column> columns;
  for (int i = 0; i < wide_columns; ++i) {
    const std::string name = wide_name(i);
    switch (i % wide_kinds) {
      case 0:
        columns.push_back(bigint(name));
        break;
      case 1:
        columns.push_back(text(name));
        break;
      case 2:
        columns.push_back(column(name, 701, "double precision"));
        break;
      case 3:
        columns.push_back(column(name, 16, "boolean"));
        break;
      case 4:
        columns.push_back(timestamptz(name));
        break;
      case 5:
        columns.push_back(column(name, 23, "integer"));
        break;
      case 6:
        columns.push_back(numeric(name, 12, 2));
        break;
      default:
        columns.push_back(column(name, 1082, "date"));
    }
  }
  return columns;
}

std::vector<Column> typed_columns() {
  return {bigint("id"),
          numeric("amount", 12, 2),
          column("exact", 1700, "numeric"),
          column("key", 2950, "uuid"),
          column("bytes", 17, "bytea"),
          column("document", 3802, "jsonb"),
          column("source", 114, "json"),
          column("day", 1082, "date"),
          column("at", 1083, "time without time zone"),
          column("local", 1114, "timestamp without time zone"),
          timestamptz("moment"),
          array("numbers", 1007, "integer[]", 23),
          array("words", 1009, "text[]", 25),
          column("small", 21, "smallint"),
          column("ratio", 700, "real"),
          column("ok", 16, "boolean"),
          column("code", 1043, "character varying(20)", 24),
          column("object", 26, "oid")};
}

std::vector<Column> mapped_columns() {
  return {bigint("id"),
          bigint("user_id"),
          text("city"),
          text("first_sku"),
          numeric("price", 9, 2),
          text("tag"),
          column("user_json", 3802, "jsonb"),
          timestamptz("at"),
          text("topic"),
          column("part", 23, "integer"),
          bigint("position"),
          column("key", 17, "bytea"),
          text("trace"),
          column("headers", 3802, "jsonb"),
          column("whole", 3802, "jsonb")};
}

postgres::Options mappings() {
  postgres::Options options;
  options.columns = {{"id", "$.order.id"},
                     {"user_id", "$.user.id"},
                     {"city", "$.user.address.city"},
                     {"first_sku", "$.order.lines[0].sku"},
                     {"price", "$.order.lines[0].price"},
                     {"tag", "$.tags[1]"},
                     {"user_json", "$.user"},
                     {"at", "@timestamp"},
                     {"topic", "@topic"},
                     {"part", "@partition"},
                     {"position", "@offset"},
                     {"key", "@key"},
                     {"trace", "@headers.trace"},
                     {"headers", "@headers"},
                     {"whole", "@value"}};
  return options;
}

Shape shape(std::string name, std::string what, std::vector<Column> columns,
            void (*append_value)(std::int64_t, std::string&), std::size_t records) {
  Shape shape{.name = std::move(name),
              .what = std::move(what),
              .table = {.schema = "public", .name = "t", .oid = 1, .columns = std::move(columns)},
              .append_value = append_value,
              .records = records};
  return shape;
}

std::vector<Shape> make_shapes() {
  std::vector<Shape> shapes;
  shapes.push_back(shape("events", "the demo's events of about 165 bytes into 7 columns",
                         event_columns(), append_event, 4'000));
  shapes.push_back(shape("tiny", "records of 30 bytes into 2 columns", {bigint("id"), text("tag")},
                         append_tiny, 4'000));
  shapes.push_back(shape("wide", "40 columns of mixed types, a tenth of them null or missing",
                         wide_columns_of_table(), append_wide, 1'000));
  shapes.push_back(shape("large", "a text of 100 KiB with escapes", {bigint("id"), text("body")},
                         append_large, 20));
  shapes.push_back(
      shape("types", "18 columns, each of another type", typed_columns(), append_types, 2'000));
  shapes.push_back(shape("mapped", "columns from nested members, headers and the record itself",
                         mapped_columns(), append_mapped, 2'000));
  shapes.back().options = mappings();
  shapes.back().headers = true;
  auto with_text = event_columns();
  with_text.push_back(column("client", 869, "inet"));
  with_text.push_back(text("path"));
  shapes.push_back(shape("text", "a type that the server parses: the table goes as COPY text",
                         std::move(with_text), append_text, 4'000));
  shapes.back().binary = false;
  shapes.push_back(shape("dead", "events, 1 % of them bad", event_columns(), append_dead, 4'000));
  shapes.back().bad_every = dead_every;
  return shapes;
}

}  // namespace

const std::vector<Shape>& all_shapes() {
  static const std::vector<Shape> shapes = make_shapes();
  return shapes;
}

const Shape& shape_of(std::string_view name) {
  const auto& shapes = all_shapes();
  const auto found = std::ranges::find(shapes, name, &Shape::name);
  if (found != shapes.end()) return *found;
  std::string names;
  for (const Shape& one : shapes) {
    if (!names.empty()) names += ", ";
    names += one.name;
  }
  throw std::out_of_range(fmt::format("there is no shape \"{}\"; there are {}", name, names));
}

std::string create_table(const Shape& shape, std::string_view name) {
  std::string columns;
  for (const Column& one : shape.table.columns) {
    put(columns, "{}\"{}\" {}", columns.empty() ? "" : ", ", one.name, one.type_name);
  }
  return fmt::format("CREATE TABLE {} ({})", name, columns);
}

Records::Records(const Shape& shape, std::size_t count) {
  records_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto id = static_cast<std::int64_t>(i);
    std::string& value = values_.emplace_back();
    shape.append_value(id, value);
    value_bytes_ += value.size();
    records_.push_back({.offset = 1'000'000 + id,
                        .timestamp_ms = 1'700'000'000'000 + id * 37,
                        .key = keys_.emplace_back(fmt::format("key-{}", id)),
                        .value = value});
    if (shape.headers) records_.back().headers = {.read = mapped_headers};
  }
}

}  // namespace semel::shapes
