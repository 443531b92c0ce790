// Arbitrary bytes as a record's value (and key), through the JSON reader into the encoders of every
// type that the connector knows, and into whole rows. The invariants are docs/fuzzing.md's.
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <span>

#include "copy_reader.hpp"
#include "formats/json/json_reader.hpp"
#include "fuzz.hpp"
#include "postgres/encode/encoder.hpp"
#include "postgres/rows/row_encoder.hpp"
#include "reference_json.hpp"

using namespace semel;
using namespace semel::postgres;
using fuzz::hold;
using nlohmann::json;

namespace {

/// Whole rows are costly: each input goes into a part of the tables, and always into the same part.
constexpr std::size_t kTurns = 4;
std::size_t turn_of(std::string_view input) {
  std::uint32_t hash = 2166136261U;
  for (const char c : input) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return (hash >> 16) % kTurns;
}

// -- Types ----------------------------------------------------------------------------------------

struct Type {
  Oid oid = 0;
  std::int32_t modifier = -1;
  std::int64_t size = -1;  ///< of the binary image, where it is fixed
  char kind = 'b';
  Oid element = 0;
  Oid declared_element = 0;
};

constexpr std::int32_t numeric_modifier(int precision, int scale) {
  return (precision << 16 | (scale & 0x7FF)) + 4;
}

// pg_type's numbers; a type of each family, with and without modifiers.
const std::vector<Type>& types() {
  static const std::vector<Type> all = [] {
    std::vector<Type> types{
        {.oid = 16, .size = 1},
        {.oid = 17},
        {.oid = 19},
        {.oid = 20, .size = 8},
        {.oid = 21, .size = 2},
        {.oid = 23, .size = 4},
        {.oid = 25},
        {.oid = 26, .size = 4},
        {.oid = 114},
        {.oid = 700, .size = 4},
        {.oid = 701, .size = 8},
        {.oid = 1042, .modifier = 5 + 4},
        {.oid = 1042},
        {.oid = 1043, .modifier = 3 + 4},
        {.oid = 1082, .size = 4},
        {.oid = 1083, .size = 8},
        {.oid = 1114, .size = 8},
        {.oid = 1184, .size = 8},
        {.oid = 1700},
        {.oid = 1700, .modifier = numeric_modifier(7, 2)},
        {.oid = 1700, .modifier = numeric_modifier(3, -2)},
        {.oid = 1700, .modifier = numeric_modifier(2, 5)},
        {.oid = 2950, .size = 16},
        {.oid = 3802},
        {.oid = 77'777, .kind = 'e'},
        {.oid = 869},  // inet: the server parses it
    };
    for (const auto& [array, element] :
         std::map<Oid, Oid>{{199, 114},   {1000, 16},   {1001, 17},   {1003, 19},   {1005, 21},
                            {1007, 23},   {1009, 25},   {1014, 1042}, {1015, 1043}, {1016, 20},
                            {1021, 700},  {1022, 701},  {1028, 26},   {1115, 1114}, {1182, 1082},
                            {1183, 1083}, {1185, 1184}, {1231, 1700}, {2951, 2950}, {3807, 3802}}) {
      types.push_back({.oid = array, .element = element, .declared_element = element});
    }
    types.push_back({.oid = 1041, .element = 869, .declared_element = 869});  // inet[]
    types.push_back({.oid = 1015,
                     .modifier = 2 + 4,
                     .element = 1043,
                     .declared_element = 1043});  // varchar(2)[]
    types.push_back(
        {.oid = 88'888, .element = 23, .declared_element = 77});  // domain over int4, []
    return types;
  }();
  return all;
}

Column column_of(const Type& type, std::string name) {
  Column column{
      .name = std::move(name),
      .type = {.oid = type.oid, .base = type.oid, .modifier = type.modifier, .kind = type.kind},
      .type_name = "type " + std::to_string(type.oid)};
  if (type.element != 0) {
    column.type.kind = 'a';
    column.type.parts = {
        {.oid = type.declared_element, .base = type.element, .modifier = type.modifier}};
  }
  return column;
}

// -- One value into each type ---------------------------------------------------------------------

formats::JsonReader& checker() {
  static formats::JsonReader reader;
  return reader;
}

struct Tested {
  Type type;
  encode::EncoderPtr encoder;
  bool binary = true;
};

const std::vector<Tested>& encoders() {
  static const std::vector<Tested> all = [] {
    std::vector<Tested> all;
    std::size_t n = 0;
    for (const Type& type : types()) {
      constexpr std::array units{EpochUnit::milliseconds, EpochUnit::seconds,
                                 EpochUnit::microseconds};
      const encode::ChoiceContext context{
          .epoch_unit = units[n++ % 3],
          .is_json = [](std::string_view text) { return checker().is_json(text); }};
      auto choice = encode::choose(column_of(type, "c").type, context);
      all.push_back({type, std::move(choice.encoder), choice.binary});
    }
    return all;
  }();
  return all;
}

void check_numeric(std::string_view image) {
  fuzz::BigEndian reader(image);
  const auto digits = reader.integer(2, "numeric: a number of digits");
  const auto weight = reader.integer(2, "numeric: a weight");
  const auto sign = reader.integer(2, "numeric: a sign") & 0xFFFF;
  const auto scale = reader.integer(2, "numeric: a scale") & 0xFFFF;
  hold(sign == 0 || sign == 0x4000 || sign == 0xC000 || sign == 0xD000 || sign == 0xF000,
       "numeric: a sign that PostgreSQL knows");
  hold(scale <= 0x3FFF, "numeric: a scale that PostgreSQL can hold");
  hold(digits == 0 || weight >= -4096 - 8, "numeric: a weight that PostgreSQL can hold");
  for (std::int64_t i = 0; i < digits; ++i) {
    const auto digit = reader.integer(2, "numeric: all its digits");
    hold(digit >= 0 && digit < 10'000, "numeric: digits below 10000");
  }
  hold(reader.done(), "numeric: ends after its digits");
}

void check_image(const Type& type, std::string_view image);

void check_array(const Type& type, std::string_view image) {
  fuzz::BigEndian reader(image);
  const auto dimensions = reader.integer(4, "array: dimensions");
  const auto has_null = reader.integer(4, "array: whether there are NULLs");
  const auto element = reader.integer(4, "array: the element's type");
  hold(dimensions >= 0 && dimensions <= 6, "array: six dimensions at most");
  hold(has_null == 0 || has_null == 1, "array: whether there are NULLs is yes or no");
  if (type.declared_element != 0) {
    hold(element == static_cast<std::int64_t>(type.declared_element),
         "array: the declared element");
  }
  bool null_seen = false;
  if (dimensions != 0) {
    std::int64_t count = 1;
    for (std::int64_t i = 0; i < dimensions; ++i) {
      const auto length = reader.integer(4, "array: a number of elements");
      hold(length > 0, "array: a dimension has elements");
      count *= length;
      reader.integer(4, "array: first index");
    }
    for (std::int64_t i = 0; i < count; ++i) {
      if (const auto field = reader.field()) {
        for (const Type& scalar : types()) {
          if (scalar.oid == type.element) {
            check_image(scalar, *field);
            break;
          }
        }
      } else {
        null_seen = true;
      }
    }
  }
  hold(null_seen == (has_null == 1), "array: knows of its NULLs");
  hold(reader.done(), "array: ends after its elements");
}

/// What a type's receive function would insist on.
void check_image(const Type& type, std::string_view image) {
  if (type.size >= 0) {
    hold(image.size() == static_cast<std::size_t>(type.size), "a fixed size is kept");
  }
  if (type.element != 0) return check_array(type, image);
  switch (type.oid) {
    case 16:
      hold(image[0] == 0 || image[0] == 1, "bool: 0 or 1");
      break;
    case 1083: {
      const auto time = fuzz::BigEndian(image).integer(8, "time");
      hold(time >= 0 && time <= 86'400'000'000, "time: within a day");
      break;
    }
    case 1700:
      check_numeric(image);
      break;
    case 3802:
      hold(!image.empty() && image[0] == 1, "jsonb: version 1");
      hold(fuzz::ReferenceJson::accepts(image.substr(1), 500, false), "jsonb: is JSON", image);
      break;
    case 114:
      hold(fuzz::ReferenceJson::accepts(image, 500, false), "json: is JSON", image);
      break;
    case 19:
      hold(image.size() <= 63, "name: at most 63 bytes");
      [[fallthrough]];
    case 25:
    case 1042:
    case 1043:
    case 77'777:
      hold(fuzz::is_utf8(image) && image.find('\0') == std::string_view::npos,
           "text: is what a server with UTF8 can store", image);
      break;
    default:
      break;
  }
}

void check_value(const record::Value& value) {
  if (value.kind == record::Kind::absent || value.kind == record::Kind::null) return;
  std::string binary;
  std::string text;
  std::string again;
  for (const Tested& tested : encoders()) {
    binary.clear();
    text.clear();
    const auto refused = tested.encoder->binary(value, binary);
    const auto refused_text = tested.encoder->text(value, text);
    hold(static_cast<bool>(refused) == static_cast<bool>(refused_text) &&
             (!refused || std::string_view(refused.sqlstate) == refused_text.sqlstate),
         "text and binary agree on what is refused", value.text);
    if (refused) {
      hold(std::string_view(refused.sqlstate).size() == 5, "a refusal has an SQLSTATE");
      hold(refused.why != nullptr && *refused.why != '\0', "a refusal says why");
      continue;
    }
    fuzz::BigEndian reader(binary);
    const auto image = reader.field();
    hold(image.has_value() && reader.done(), "an image is one field");
    check_image(tested.type, *image);
    hold(fuzz::is_utf8(text) && text.find('\0') == std::string::npos, "what goes as text is text",
         text);
    // The type's own input, given the text, finds the same value.
    record::Value spelled{
        .kind = tested.type.element != 0 ? record::Kind::bytes : record::Kind::literal,
        .text = text};
    again.clear();
    const auto refused_again = tested.encoder->binary(spelled, again);
    hold(!refused_again, "the text of a value is a spelling of it", text);
    hold(again == binary, "the text of a value means the same as its image", text);
  }
}

// -- The reader -----------------------------------------------------------------------------------

/// Whether `value` is what a DOM holds at the same place.
void check_same(const record::Value& value, const json* node) {
  using record::Kind;
  if (node == nullptr) return hold(value.kind == Kind::absent, "nothing is made up");
  switch (node->type()) {
    case json::value_t::null:
      return hold(value.kind == Kind::null, "null is null");
    case json::value_t::boolean:
      return hold(value.kind == Kind::boolean && (value.text == "true") == node->get<bool>(),
                  "a boolean is itself");
    case json::value_t::string:
      return hold(value.kind == Kind::string && value.text == node->get_ref<const std::string&>(),
                  "a string is itself", value.text);
    case json::value_t::object:
    case json::value_t::array:
      return hold(value.kind == Kind::nested && json::parse(value.text) == *node,
                  "an object or array is itself", value.text);
    default:
      return hold(value.kind == Kind::number && json::parse(value.text) == *node,
                  "a number is itself", value.text);
  }
}

const json* member(const json* node, const char* name) {
  if (node == nullptr || !node->is_object()) return nullptr;
  const auto found = node->find(name);
  return found == node->end() ? nullptr : &*found;
}

const json* element(const json* node, std::size_t index) {
  return node != nullptr && node->is_array() && index < node->size() ? &(*node)[index] : nullptr;
}

void check_reader(std::string_view input) {
  using record::Step;
  static const std::vector<std::vector<Step>> paths{
      {}, {"c"}, {"a"}, {"c", "a"}, {"c", "a", std::size_t{1}}, {"c", std::size_t{0}}};
  static formats::JsonReader reader;
  static record::PathTree tree = [] {
    record::PathTree tree;
    for (std::uint32_t i = 0; i < paths.size(); ++i) tree.add(paths[i], i);
    return tree;
  }();
  std::vector<record::Value> slots(paths.size());
  const bool read = reader.read(input, tree, slots);
  hold(read == fuzz::ReferenceJson::accepts(input, 500, true),
       "exactly the JSON objects are accepted", read ? "accepted" : reader.error());
  if (!read) {
    hold(reader.error() != nullptr && *reader.error() != '\0', "a refusal says why");
    return;
  }
  // A DOM where it can hold the document: without 1e999 and half surrogate pairs.
  const json document = json::parse(input, nullptr, false);
  if (!document.is_discarded()) {
    const json* c = member(&document, "c");
    check_same(slots[0], &document);
    check_same(slots[1], c);
    check_same(slots[2], member(&document, "a"));
    check_same(slots[3], member(c, "a"));
    check_same(slots[4], element(member(c, "a"), 1));
    check_same(slots[5], element(c, 0));
  }
  for (const auto& value : slots) {
    hold(fuzz::is_utf8(value.text), "a value is UTF-8", value.text);
    check_value(value);
  }
}

// -- Whole rows -----------------------------------------------------------------------------------

struct Pair {
  RowEncoder binary;
  RowEncoder text;  ///< the same table with one more column, which only the server can parse
};

RowEncoder row_encoder(Table table, Options options, bool text) {
  if (text) {
    table.columns.push_back(column_of({.oid = 869}, "address"));
    options.columns["address"] = "@topic";
  }
  auto encoder = RowEncoder::make(table, options);
  hold(encoder.has_value(), "the targets' own tables are fine");
  for (const auto kind : {DefaultKind::constant, DefaultKind::stable}) {
    for (const std::size_t i : encoder->defaults_needed(kind)) {
      const DefaultValue value{
          i, kind == DefaultKind::stable ? std::nullopt : std::optional<std::string>("d\te\\f")};
      encoder->set_defaults(std::span(&value, 1));
    }
  }
  hold(encoder->format() == (text ? CopyFormat::text : CopyFormat::binary), "the format fits");
  return *std::move(encoder);
}

Pair pair_of(const Table& table, const Options& options) {
  return {row_encoder(table, options, false), row_encoder(table, options, true)};
}

std::vector<Pair>& tables() {
  static std::vector<Pair> all = [] {
    std::vector<Pair> all;
    // Columns from the value: defaults of all kinds, NOT NULL, several paths.
    Table plain{.schema = "public", .name = "t", .oid = 1};
    plain.columns = {column_of({.oid = 23}, "a"),
                     column_of({.oid = 25}, "b"),
                     column_of({.oid = 3802}, "c"),
                     column_of({.oid = 25}, "d"),
                     column_of({.oid = 20}, "e"),
                     column_of({.oid = 17}, "f"),
                     column_of({.oid = 1009, .element = 25}, "g"),
                     column_of({.oid = 1184}, "h"),
                     column_of({.oid = 25}, "i")};
    plain.columns[3].default_kind = DefaultKind::constant;
    plain.columns[4].default_kind = DefaultKind::changing;
    plain.columns[8].default_kind = DefaultKind::changing;
    plain.columns[7].default_kind = DefaultKind::stable;
    all.push_back(pair_of(plain, {}));
    Table strict = plain;
    strict.columns[1].not_null = true;
    strict.columns[3].not_null = true;
    all.push_back(
        pair_of(strict, {.columns = {{"b", "$.c.b"}, {"c", "$"}, {"f", "@key"}},
                         .policy = {.unknown_fields = record::UnknownFields::dead_letter}}));
    // Columns from the record's parts: its bytes need not be JSON.
    for (const char* path : {"@key", "@value", "@headers.h"}) {
      for (const Oid type : {17U, 19U, 20U, 25U, 114U, 1009U, 1114U, 1700U, 2950U, 3802U}) {
        Table parts{.schema = "public", .name = "t", .oid = 1};
        parts.columns = {column_of({.oid = type, .element = type == 1009 ? 25U : 0U}, "a")};
        all.push_back(pair_of(parts, {.columns = {{"a", path}}}));
      }
    }
    Table headers{.schema = "public", .name = "t", .oid = 1};
    headers.columns = {column_of({.oid = 3802}, "a"), column_of({.oid = 25}, "b")};
    all.push_back(pair_of(headers, {.columns = {{"a", "@headers"}, {"b", "@headers"}}}));
    return all;
  }();
  return all;
}

void check_tables(std::string_view input, std::size_t turn) {
  static const TopicPartition tp{"clicks", 3};
  Record record{.offset = 42, .timestamp_ms = 1'700'000'000'123, .key = input, .value = input};
  record.headers = {.message = &input, .read = [](const void* message, std::vector<Header>& into) {
                      const auto& bytes = *static_cast<const std::string_view*>(message);
                      const auto half = bytes.substr(0, bytes.size() / 2);
                      into = {{"h", bytes}, {half, "x"}, {"h", half}};
                    }};
  std::string out;
  std::string text;
  for (std::size_t i = 0; i < tables().size(); ++i) {
    // The first two take JSON, always; of the others a part.
    if (i >= 2 && i % kTurns != turn) continue;
    Pair& pair = tables()[i];
    out = "before";
    text = "before";
    const Encoded encoded = pair.binary.encode(tp, record, out);
    const Encoded as_text = pair.text.encode(tp, record, text);
    hold(out.starts_with("before") && text.starts_with("before"), "rows are appended");
    hold(encoded.status == as_text.status && encoded.unknown_fields == as_text.unknown_fields,
         "text and binary accept the same records",
         pair.text.bad().reason + " / " + pair.binary.bad().reason);
    if (encoded.status == Fate::bad) {
      const record::BadRecord& bad = pair.binary.bad();
      const record::BadRecord& bad_text = pair.text.bad();
      hold(out == "before" && text == "before", "a bad record leaves nothing behind");
      hold(bad.column == bad_text.column && bad.code == bad_text.code &&
               bad.reason == bad_text.reason,
           "text and binary refuse for the same reason", bad.reason + " / " + bad_text.reason);
      hold(bad.code.size() == 5 && !bad.reason.empty(), "a bad record has a code and a reason");
      hold(fuzz::is_utf8(bad.reason), "a reason is UTF-8", bad.reason);
      hold(bad.reason.size() < 500, "a reason is short", bad.reason);
      continue;
    }
    const auto columns = pair.binary.columns_of(encoded.column_set);
    const auto fields = fuzz::read_binary_row(std::string_view(out).substr(6));
    hold(fields.size() == columns.size(), "a row has the columns of its set");
    const auto text_fields = fuzz::read_text_row(std::string_view(text).substr(6));
    hold(text_fields.size() == columns.size() + 1, "a line has the columns of its set", text);
    hold(text_fields.back() == "clicks", "a line's fields stand in their places", text);
    for (std::size_t i = 0; i < fields.size(); ++i) {
      hold(fields[i].has_value() == text_fields[i].has_value(),
           "text and binary have the same NULLs", text);
    }
    hold(fuzz::is_utf8(text), "a line is UTF-8", text);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t turn = turn_of(input);
  check_reader(input);
  hold(checker().is_json(input) == fuzz::ReferenceJson::accepts(input, 500, false),
       "exactly the JSON values are accepted from keys and headers", input);
  // The bytes themselves as a scalar's text: shorter than finding the JSON around it.
  if (fuzz::is_utf8(input) && input.find('\0') == std::string_view::npos) {
    check_value(
        {.kind = turn % 2 == 0 ? record::Kind::literal : record::Kind::bytes, .text = input});
  }
  check_tables(input, turn);
  return 0;
}
