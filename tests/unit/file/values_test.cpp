// What becomes of which value, as programs of others read it: jq, and Python's csv.
#include "unit/file/rig.hpp"

using namespace semel;
using namespace semel::test;

namespace {

const std::string file_name = "clicks-3-00000000000000000000-00000000000000000002.jsonl";
/// Rows as Python's csv module reads them.
const std::string read_csv =
    "import csv, sys\n"
    "for row in csv.reader(open(sys.argv[1], newline='')): print(row)\n";

std::string csv_rows(const FileRig& rig) {
  return answer_of({"python3", "-c", read_csv, rig.dir / rig.names().at(0)});
}

}  // namespace

TEST_CASE("without a schema, each record's JSON is a line as it was") {
  FileRig rig;
  contract::committed(rig.store({R"({"id":1,"price":9.90,"x":12345678901234567890123})",
                                 "{\n  \"id\": 2,\r\n  \"s\": \"a\\nb\"\n}"}));
  REQUIRE(rig.names() == std::vector{file_name});
  CHECK(rig.text() ==
        "{\"id\":1,\"price\":9.90,\"x\":12345678901234567890123}\n"
        "{   \"id\": 2,    \"s\": \"a\\nb\" }\n");
  CHECK(answer_of({"jq", "-c", "[.id, .s]", rig.dir / file_name}) == "[1,null]\n[2,\"a\\nb\"]\n");
}

TEST_CASE("with a schema, a line has its columns in their order, and no others") {
  FileRig rig;
  rig.options.schema = {"o", "id", "t", "at timestamp", "key string", "n double", "b boolean"};
  rig.options.rows.columns = {
      {"o", "@offset"}, {"t", "@topic"}, {"at", "@timestamp"}, {"key", "@key"}};
  contract::committed(
      rig.store({R"({"n":1,"id":1.25,"other":2,"b":true})", R"({"id":{"a":[1, 2]},"n":null})"}));
  CHECK(rig.text() ==
        R"({"o":0,"id":1.25,"t":"clicks","at":"2024-01-31T10:20:30.5Z","key":"k","n":1,"b":true})"
        "\n"
        R"({"o":1,"id":{"a":[1, 2]},"t":"clicks","at":"2024-01-31T10:20:30.5Z","key":"k","n":null})"
        "\n");
  CHECK(answer_of({"jq", "-c", ".id", rig.dir / file_name}) == "1.25\n{\"a\":[1,2]}\n");
}

TEST_CASE("CSV is RFC 4180: quoted where it has to be, empty text is not nothing") {
  FileRig rig;
  rig.options.form = file::Form::csv;
  rig.options.schema = {"id int64", "a,b", "s"};
  contract::committed(rig.store({R"({"id":1,"a,b":"x\"y,z","s":"two\nlines\r\nthree"})",
                                 R"({"id":2,"a,b":"","s":null})", R"({"id":3,"a,b":{"k":"v"}})"}));
  CHECK(rig.names() ==
        std::vector<std::string>{"clicks-3-00000000000000000000-00000000000000000003.csv"});
  CHECK(rig.text() ==
        "id,\"a,b\",s\r\n"
        "1,\"x\"\"y,z\",\"two\nlines\r\nthree\"\r\n"
        "2,\"\",\r\n"
        "3,\"{\"\"k\"\":\"\"v\"\"}\",\r\n");
  CHECK(csv_rows(rig) ==
        "['id', 'a,b', 's']\n"
        "['1', 'x\"y,z', 'two\\nlines\\r\\nthree']\n"
        "['2', '', '']\n"
        "['3', '{\"k\":\"v\"}', '']\n");
}

TEST_CASE("a row of one empty column is no empty line of CSV") {
  FileRig rig;
  rig.options.form = file::Form::csv;
  rig.options.schema = {"s"};
  contract::committed(rig.store({R"({"s":null})", R"({"s":"x"})"}));
  CHECK(csv_rows(rig) == "['s']\n['']\n['x']\n");
}

TEST_CASE("a rule makes an instant for a column of timestamps, and ISO 8601 for one of text") {
  FileRig rig;
  rig.options.schema = {"at timestamp", "day string", "due timestamp"};
  rig.options.rows.columns["at"].unit = record::Unit::seconds;
  rig.options.rows.columns["day"].unit = record::Unit::days;
  rig.options.rows.columns["due"].format = "%d/%m/%Y";
  const auto counts = contract::committed(
      rig.store({R"({"at":1710064800,"day":19792,"due":"10/03/2024"})", R"({"at":"soon"})"}));
  CHECK(counts.dead_letters == 1);
  CHECK(rig.text() ==
        "{\"at\":\"2024-03-10T10:00:00Z\",\"day\":\"2024-03-10\",\"due\":\"2024-03-10T00:00:00Z\"}"
        "\n");
}

TEST_CASE("what a column cannot hold is a dead letter, with the record's bytes") {
  FileRig rig;
  rig.options.schema = {"id int64", "b boolean", "at timestamp", "d double"};
  const auto counts = contract::committed(rig.store(
      {R"({"id":1})", R"({"id":"1"})", R"({"id":1.5})", R"({"b":1})", R"({"at":"soon"})",
       R"({"at":"2024-01-31T10:20:30Z"})", R"({"d":"0.5"})", "{\xFF}", R"({"d":1e400})"}));
  CHECK(counts.rows == 2);
  CHECK(counts.dead_letters == 7);
  CHECK(rig.text() == "{\"id\":1}\n{\"at\":\"2024-01-31T10:20:30Z\"}\n");
  const auto letters = rig.dir / ("_dead_letters/" + rig.names("_dead_letters").at(0));
  CHECK(answer_of({"jq", "-c", "[.offset, .column_name, .value]", letters}) ==
        "[1,\"id\",\"{\\\"id\\\":\\\"1\\\"}\"]\n[2,\"id\",\"{\\\"id\\\":1.5}\"]\n"
        "[3,\"b\",\"{\\\"b\\\":1}\"]\n[4,\"at\",\"{\\\"at\\\":\\\"soon\\\"}\"]\n"
        "[6,\"d\",\"{\\\"d\\\":\\\"0.5\\\"}\"]\n[7,null,null]\n[8,\"d\",\"{\\\"d\\\":1e400}\"]\n");
  CHECK(answer_of({"jq", "-r", "select(.offset == 7) | .value_base64", letters}) == "e/99\n");
  CHECK(answer_of({"jq", "-c",
                   "select(.offset == 1) | [.pipeline, .output, .topic, .partition, "
                   ".key, .timestamp_ms]",
                   letters}) == "[\"pipe\",\"out\",\"clicks\",3,\"k\",1706696430500]\n");
  auto ledger = contract::must(file::connector().open_ledger(rig.part(), rig.context));
  CHECK(contract::must(ledger->dead_letters()) == 7);
}

TEST_CASE("a range without rows makes no file") {
  FileRig rig;
  contract::committed(rig.store({}));
  contract::committed(rig.store({"{"}));
  CHECK(rig.names().empty());
  CHECK(rig.names("_dead_letters").size() == 1);
}

TEST_CASE("records of another format than JSON need a schema, and so does CSV") {
  FileRig rig;
  rig.context.format = formats::raw();
  CHECK_THAT(rig.open().error().message, Catch::Contains("schema is missing"));
  rig.context.format = formats::json();
  rig.options.form = file::Form::csv;
  CHECK(rig.open().error().cause == Cause::configuration);
  rig.options.schema = {"id int64", "id"};
  CHECK_THAT(rig.open().error().message, Catch::Contains("\"id\" is named twice"));
  rig.options.schema = {"id long"};
  CHECK_THAT(rig.open().error().message, Catch::Contains("string, int64, double"));
  rig.options.schema = {"id"};
  rig.options.rows.columns = {{"o", "@offset"}};
  CHECK_THAT(rig.open().error().message, Catch::Contains("no such column"));
}

TEST_CASE("names of files are plain, unhidden and short enough, whatever the topic is called") {
  for (const std::string& topic :
       {std::string(".."), std::string("_hidden"), std::string(".x"), std::string("a.b-c_d"),
        std::string(249, 'x'), std::string("a/b")}) {
    FileRig rig;
    rig.topic = topic;
    contract::committed(rig.store({R"({"id":1})", "{"}));
    const auto names = rig.names();
    REQUIRE(names.size() == 1);
    CAPTURE(names[0]);
    CHECK(names[0].find_first_of("/ ") == std::string::npos);
    CHECK(names[0][0] != '.');
    CHECK(names[0][0] != '_');
    CHECK(names[0].size() <= 255);
    CHECK(names[0].ends_with("-3-00000000000000000000-00000000000000000002.jsonl"));
    CHECK(rig.names("_dead_letters") == names);
  }
}
