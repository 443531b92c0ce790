// What becomes of a record, whatever its format and the sink: with a format of one word, whose only
// member is "word".
#include "record/reader.hpp"

#include "support/catch.hpp"

using namespace semel;
using namespace semel::record;

namespace {

/// "away" cannot be read now, "?" never, "-" has nothing, and "!…" has a member that nobody wants.
class WordDecoder final : public Decoder {
 public:
  Result<void> bind(std::span<const Step> path, std::uint32_t slot, bool) override {
    if (path.size() > 1) return fail(ErrorKind::fatal, Cause::configuration, "words are flat");
    const auto* name = path.empty() ? nullptr : std::get_if<std::string>(&path[0]);
    if (name == nullptr || *name == "word") slots_.push_back(slot);
    return {};
  }
  Decoded decode(std::string_view value, std::span<Value> slots) override {
    if (value == "away") return {.status = DecodeStatus::unavailable};
    if (value == "?") return {.status = DecodeStatus::malformed};
    if (value != "-") {
      for (const auto slot : slots_) slots[slot] = {.kind = Kind::string, .text = value};
    }
    return {.unknown_fields = value.starts_with('!') ? 1U : 0U};
  }
  std::string why_malformed(std::string_view value) override { return std::string(value) + "?"; }
  Error why_unavailable() const override {
    return {ErrorKind::unavailable, Cause::sink, "the dictionary is away"};
  }
  std::string why_nothing(std::string_view, std::span<const std::string> own_names,
                          std::string_view setting) override {
    return "no word for " + (own_names.empty() ? "nobody" : own_names[0]) + ", see " +
           std::string(setting);
  }
  std::string_view unknown_field() const override { return "mark"; }

 private:
  std::vector<std::uint32_t> slots_;
};

class WordFormat final : public Format {
 public:
  explicit WordFormat(bool has_members = true) : has_members_(has_members) {}
  std::string_view name() const override { return "word"; }
  bool has_members() const override { return has_members_; }
  bool is_json() const override { return false; }
  std::unique_ptr<Decoder> decoder() const override { return std::make_unique<WordDecoder>(); }

 private:
  bool has_members_;
};

using Mappings = ColumnRules;

Result<Reader> reader_of(const std::vector<Column>& columns, const Mappings& mappings = {},
                         const Policy& policy = {}, const Format& format = WordFormat()) {
  auto mapped = map_columns(columns, mappings, "sink.x.columns", "t");
  if (!mapped) return tl::unexpected(mapped.error());
  return Reader::make(*std::move(mapped), policy, format, "sink.x.columns");
}

std::string refusal_of(const Result<Reader>& reader) {
  if (reader) return "";
  CHECK(reader.error().kind == ErrorKind::fatal);
  CHECK(reader.error().cause == Cause::configuration);
  return reader.error().message;
}

const TopicPartition kSource{"clicks", 3};

Record record_of(std::optional<std::string_view> value) {
  return {.offset = 42, .timestamp_ms = 1'700'000'000'123, .key = "k1", .value = value};
}

}  // namespace

TEST_CASE("a record becomes a value for each column, from its value and from its own parts") {
  auto reader = reader_of({{"word"}, {"at"}, {"whole"}}, {{"at", "@offset"}, {"whole", "$"}});
  REQUIRE(reader);
  const auto read = reader->read(kSource, record_of("hello"));
  REQUIRE(read.fate == Fate::row);
  CHECK(read.unknown_fields == 0);
  const auto values = reader->values();
  REQUIRE(values.size() == 3);
  CHECK(values[0].text == "hello");
  CHECK(values[1].kind == Kind::number);
  CHECK(values[1].text == "42");
  CHECK(values[2].text == "hello");
  // Nothing of a record stays for the next one.
  REQUIRE(reader->read(kSource, record_of("-")).fate == Fate::row);
  CHECK(reader->values()[0].kind == Kind::absent);
  CHECK(reader->values()[2].kind == Kind::absent);
}

TEST_CASE("a record that cannot be read is bad, one that cannot be read now is not") {
  auto reader = reader_of({{"word"}});
  REQUIRE(reader);
  CHECK(reader->read(kSource, record_of("?")).fate == Fate::bad);
  CHECK(reader->bad().fault == Fault::malformed);
  CHECK(reader->bad().reason == "??");
  CHECK(reader->bad().column.empty());
  CHECK(reader->bad().code.empty());
  CHECK(reader->read(kSource, record_of("away")).fate == Fate::unavailable);
  CHECK(reader->unavailable().kind == ErrorKind::unavailable);
  CHECK(reader->unavailable().message == "the dictionary is away");
  CHECK(reader->read(kSource, record_of("back")).fate == Fate::row);
}

TEST_CASE("a record in which no column finds anything is bad, unless all of it is stored") {
  auto by_name = reader_of({{"word"}, {"at"}}, {{"at", "@offset"}});
  REQUIRE(by_name);
  CHECK(by_name->read(kSource, record_of("-")).fate == Fate::bad);
  CHECK(by_name->bad().fault == Fault::nothing_found);
  CHECK(by_name->bad().reason == "no word for word, see sink.x.columns");
  for (const char* whole : {"$", "@value"}) {
    auto all = reader_of({{"word"}, {"all"}}, {{"all", whole}});
    REQUIRE(all);
    CHECK(all->read(kSource, record_of("-")).fate == Fate::row);
  }
}

TEST_CASE("a column may come from inside the key, with or without a value") {
  const WordFormat keys;
  auto mapped = map_columns(std::vector<Column>{{"word"}, {"of_key"}}, {{"of_key", "@key.word"}},
                            "sink.x.columns", "t");
  REQUIRE(mapped);
  const auto made = [&](const Policy& policy, const Format* format) {
    return Reader::make(*mapped, policy, WordFormat(), "sink.x.columns", format);
  };
  CHECK_THAT(refusal_of(made({}, nullptr)),
             Catch::Contains("@key.word") && Catch::Contains("keys"));
  auto reader = made({.tombstones = Tombstones::remove}, &keys);
  REQUIRE(reader);
  REQUIRE(reader->read(kSource, record_of("hello")).fate == Fate::row);
  CHECK(reader->values()[0].text == "hello");
  CHECK(reader->values()[1].text == "k1");
  REQUIRE(reader->read(kSource, record_of(std::nullopt)).fate == Fate::removal);
  CHECK(reader->values()[0].kind == Kind::absent);
  CHECK(reader->values()[1].text == "k1");
  // A record without a key has nothing there; a key that cannot be read is a bad record's.
  auto record = record_of("hello");
  record.key.reset();
  REQUIRE(reader->read(kSource, record).fate == Fate::row);
  CHECK(reader->values()[1].kind == Kind::absent);
  record.key = "?";
  CHECK(reader->read(kSource, record).fate == Fate::bad);
  CHECK(reader->bad().reason == "the key: ??");
  record.key = "away";
  CHECK(reader->read(kSource, record).fate == Fate::unavailable);
  CHECK(reader->unavailable().message == "the dictionary is away");
}

TEST_CASE("a record removes its row where its value, or a part of it, says so") {
  Policy policy{.removes_from = "$", .removes_if = {"gone", "left"}};
  auto by_value = reader_of({{"word"}}, {}, policy);
  REQUIRE(by_value);
  CHECK(by_value->read(kSource, record_of("gone")).fate == Fate::removal);
  CHECK(by_value->values().size() == 1);
  CHECK(by_value->read(kSource, record_of("left")).fate == Fate::removal);
  CHECK(by_value->read(kSource, record_of("gone!")).fate == Fate::row);
  CHECK(by_value->read(kSource, record_of(std::nullopt)).fate == Fate::ignored);
  policy.removes_from = "@key";
  policy.removes_if = {"k1"};
  auto by_key = reader_of({{"word"}}, {}, policy);
  REQUIRE(by_key);
  CHECK(by_key->read(kSource, record_of("stays")).fate == Fate::removal);
  // What removes a row need say nothing else.
  CHECK(by_key->read(kSource, record_of("-")).fate == Fate::removal);
  policy.removes_from = "op";
  CHECK_THAT(refusal_of(reader_of({{"word"}}, {}, policy)), Catch::Contains("write a path"));
}

TEST_CASE("tombstones and unknown members are taken as the policy says") {
  auto lenient = reader_of({{"word"}});
  REQUIRE(lenient);
  CHECK(lenient->read(kSource, record_of(std::nullopt)).fate == Fate::ignored);
  const auto marked = lenient->read(kSource, record_of("!a"));
  CHECK(marked.fate == Fate::row);
  CHECK(marked.unknown_fields == 1);

  auto strict = reader_of(
      {{"word"}}, {},
      {.unknown_fields = UnknownFields::dead_letter, .tombstones = Tombstones::dead_letter});
  REQUIRE(strict);
  CHECK(strict->read(kSource, record_of(std::nullopt)).fate == Fate::bad);
  CHECK(strict->bad().fault == Fault::no_value);
  CHECK(strict->read(kSource, record_of("!a")).fate == Fate::bad);
  CHECK(strict->bad().fault == Fault::unknown_field);
  CHECK_THAT(strict->bad().reason, Catch::Contains("\"mark\""));
  CHECK(strict->read(kSource, record_of("a")).fate == Fate::row);
}

TEST_CASE("a value without members is not looked into for columns' names") {
  const WordFormat flat(false);
  auto reader = reader_of({{"word"}, {"all"}}, {{"all", "$"}}, {}, flat);
  REQUIRE(reader);
  REQUIRE(reader->read(kSource, record_of("a")).fate == Fate::row);
  CHECK(reader->values()[0].kind == Kind::absent);
  CHECK(reader->values()[1].text == "a");
}

TEST_CASE("a mapping that can never be right is refused, with its setting and column") {
  CHECK(refusal_of(reader_of({{"a"}}, {{"b", "$.a"}})) ==
        "sink.x.columns maps \"b\", but table t has no such column that can be written (names are "
        "compared exactly; generated columns cannot be written)");
  CHECK_THAT(refusal_of(reader_of({{"a"}}, {{"a", "$.a["}})),
             Catch::StartsWith("sink.x.columns, column \"a\": mapping \"$.a[\": "));
  CHECK(refusal_of(reader_of({{"a", "BLOB", Holds::bytes}}, {{"a", "@timestamp"}})) ==
        "sink.x.columns maps \"a\" to @timestamp, but the column is of type BLOB, which cannot "
        "hold it");
  CHECK(refusal_of(reader_of({{"a", "INTEGER", Holds::number}}, {{"a", "@timestamp"}})).empty());
  // What the format says of a path.
  CHECK(refusal_of(reader_of({{"a"}}, {{"a", "$.a.b"}})) ==
        "sink.x.columns, column \"a\": mapping \"$.a.b\": words are flat");
}

TEST_CASE("a value is shown by its beginning, and bytes that are no text in hexadecimal") {
  CHECK(shown({.kind = Kind::string, .text = "ab", .json = "\"ab\""}) == "\"ab\"");
  CHECK(shown({.kind = Kind::bytes, .text = "ab"}) == "\"ab\"");
  CHECK(shown(bytes_value("\xff\x01", false)) == "\\xff01");
  const std::string umlauts = "x" + [] {
    std::string text;
    for (int i = 0; i < 40; ++i) text += "\xC3\xBC";
    return text;
  }();
  // Sixty bytes would end in the middle of a character.
  CHECK(shown({.kind = Kind::bytes, .text = umlauts}) ==
        "\"" + umlauts.substr(0, 59) + "\"... (81 bytes)");
}
