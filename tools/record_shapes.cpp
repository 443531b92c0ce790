#include "record_shapes.hpp"

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <vector>

#include "events.hpp"

namespace semel::demo {
namespace {

constexpr std::string_view event_columns =
    "id bigint, user_id bigint, kind text, amount double precision, ts timestamptz, note text, "
    "ok boolean";
constexpr std::string_view bare_event_columns =
    "id:int8,user_id:int8,kind:text,amount:float8,ts:timestamptz,note:text,ok:bool";

template <class... Values>
void append(std::string& out, fmt::format_string<Values...> format, Values&&... values) {
  fmt::format_to(std::back_inserter(out), format, std::forward<Values>(values)...);
}

void append_timestamp(std::string& out, std::int64_t id) {
  append(out, "\"2026-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z\"", id % 12 + 1, id % 28 + 1, id % 24,
         id / 7 % 60, id / 11 % 60, id % 1000);
}

// -- wide: 40 columns, eight of each type that the bare loop knows
// -------------------------------------------

constexpr int wide_columns = 40;
constexpr std::array<std::string_view, 5> wide_types{"bigint", "double precision", "text",
                                                     "boolean", "timestamptz"};
constexpr std::array<std::string_view, 5> wide_bare_types{"int8", "float8", "text", "bool",
                                                          "timestamptz"};

std::string list_columns(std::string_view first, std::string_view separator,
                         const std::array<std::string_view, 5>& types) {
  std::string list{first};
  for (int i = 1; i < wide_columns; ++i) {
    append(list, ",c{}{}{}", i, separator, types[static_cast<std::size_t>(i % 5)]);
  }
  return list;
}

void append_wide(std::int64_t id, std::string& out) {
  append(out, R"({{"id":{})", id);
  for (int i = 1; i < wide_columns; ++i) {
    append(out, R"(,"c{}":)", i);
    const std::int64_t number = id * 31 + i * 1'000'003;
    switch (i % 5) {
      case 0:
        append(out, "{}", number);
        break;
      case 1:
        append(out, "{}.{:02}", number % 100'000, number % 100);
        break;
      case 2:
        append(out, "\"text number {} of {}\"", i, id);
        break;
      case 3:
        out += number % 2 == 0 ? "true" : "false";
        break;
      default:
        append_timestamp(out, number);
    }
  }
  out += '}';
}

// -- tiny and large
// ------------------------------------------------------------------------------------

void append_tiny(std::int64_t id, std::string& out) {
  append(out, R"({{"id":{},"value":{}}})", id, id % 2'001 - 1'000);
}

constexpr std::size_t large_bytes = std::size_t{100} * 1024;
constexpr std::array<std::string_view, 16> words = {
    "order", "basket", "invoice", "returned", "delivered", "paid",   "gift",  "counter",
    "shop",  "card",   "door",    "signed",   "reminder",  "number", "again", "month"};

void append_large(std::int64_t id, std::string& out) {
  const std::size_t begin = out.size();
  append(out, R"({{"id":{},"body":")", id);
  auto random = static_cast<std::uint64_t>(id) * 0x9e3779b97f4a7c15U + 1;
  while (out.size() - begin < large_bytes) {
    random = random * 6'364'136'223'846'793'005U + 1'442'695'040'888'963'407U;
    append(out, "{} {:x} ", words[random >> 60], (random >> 20) & 0xFFFFFF);
  }
  out += "\"}";
}

// -- many types, and mappings
// --------------------------------------------------------------------------

void append_types(std::int64_t id, std::string& out) {
  append(out,
         R"({{"id":{},"small":{},"medium":{},"price":{}.{:02},"ratio":{}.5,"uid":)"
         R"("{:08x}-0000-4000-8000-{:012x}","raw":"\\x{:08x}","doc":{{"a":[{},null],"b":"x"}},)",
         id, id % 30'000, id % 2'000'000'000, id % 90'000, id % 100, id % 1'000, id & 0xFFFFFFFF,
         id, id & 0xFFFFFFFF, id);
  append(out,
         R"("day":"2026-{:02}-{:02}","clock":"{:02}:{:02}:00","numbers":[{},{},{}],)"
         R"("words":["a{}","b"],"code":"K{}","ok":true,"at":{}}})",
         id % 12 + 1, id % 28 + 1, id % 24, id % 60, id, id + 1, id + 2, id, id % 1'000,
         1'767'225'600'000 + id);
}

void append_nested(std::int64_t id, std::string& out) {
  append(
      out,
      R"({{"meta":{{"version":3,"trace":"{:016x}"}},"payload":{{"id":{},"user":{{"id":{},"name":)"
      R"("user {}"}},"kind":"click","amounts":[{}.25,0]}},"ts":)",
      id * 7'919, id, id % 100'000, id % 100'000, id % 10'000);
  append_timestamp(out, id);
  append(out, R"(,"note":"nested twice","ok":{}}})", id % 2 == 0);
}

// -- keyed: a key comes again and again, always in one partition of 1, 2, 4 or 5
// ------------------------------------------------------------------------

constexpr std::int64_t keys = 500'000;

void append_keyed(std::int64_t id, std::string& out) {
  append(out, R"({{"id":{},"user_id":{},"kind":"click","amount":{}.25,"ts":)", id % keys, id,
         id % 10'000);
  append_timestamp(out, id);
  append(out, R"(,"note":"state of a thing","ok":{}}})", id % 2 == 0);
}

// -- some that cannot be stored
// ------------------------------------------------------------------------

void append_bad(std::int64_t id, std::string& out) {
  if (id % 100 != 99) return append_event(id, out);
  append(out, R"({{"id":{},"user_id":"nobody","kind":"click","amount":1.5,"ok":true}})", id);
}

void append_refused(std::int64_t id, std::string& out) {
  if (id % 1'000 != 999) return append_event(id, out);
  append(out, R"({{"id":{},"user_id":-1,"kind":"click","amount":1.5,"ok":true}})", id);
}

std::vector<RecordShape> make_shapes() {
  static const std::string wide = list_columns("id bigint", " ", wide_types);
  static const std::string bare_wide = list_columns("id:int8", ":", wide_bare_types);
  static const std::string refused = std::string(event_columns) + ", CHECK (user_id >= 0)";
  return {
      {"events", "about 165 bytes into 7 columns", event_columns, bare_event_columns, "",
       &append_event},
      {"wide", "about 1,000 bytes into 40 columns of 5 types", wide, bare_wide, "", &append_wide},
      {"tiny", "about 30 bytes into 2 columns", "id bigint, value bigint", "id:int8,value:int8", "",
       &append_tiny},
      {"large", "100 KiB of text into 2 columns", "id bigint, body text", "id:int8,body:text", "",
       &append_large},
      {"types", "about 330 bytes into 15 columns of as many types",
       "id bigint, small smallint, medium integer, price numeric(12,2), ratio real, uid uuid, raw "
       "bytea, doc jsonb, day date, clock time, numbers bigint[], words text[], code varchar(10), "
       "ok boolean, at timestamp",
       "", "", &append_types},
      {"mapped", "about 240 bytes, nested, into 9 columns by columns = {…}",
       "id bigint, user_id bigint, kind text, amount double precision, ts timestamptz, note text, "
       "at timestamptz, src text, part integer",
       "",
       "columns = { id = \"$.payload.id\", user_id = \"$.payload.user.id\", kind = "
       "\"$.payload.kind\", amount = \"$.payload.amounts[0]\", at = \"@timestamp\", src = "
       "\"@topic\", part = \"@partition\" }",
       &append_nested},
      {"keyed",
       "about 150 bytes into 7 columns, 500,000 ids again and again; user_id is the number "
       "of the record",
       event_columns, bare_event_columns, "", &append_keyed},
      {"bad", "events, 1 % of them with a text where a number belongs", event_columns, "", "",
       &append_bad},
      {"refused", "events, 0.1 % of them refused by the server (CHECK)", refused, "", "",
       &append_refused},
  };
}

}  // namespace

std::span<const RecordShape> record_shapes() {
  static const std::vector<RecordShape> shapes = make_shapes();
  return shapes;
}

}  // namespace semel::demo
