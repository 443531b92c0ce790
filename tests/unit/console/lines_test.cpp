// A record as a line: whatever is in it, it is one line, and JSON.
#include "console/lines.hpp"

#include "support/catch.hpp"

using namespace semel;

namespace {

const TopicPartition visits{"visits", 3};

std::string line_of(const Record& record, console::Form form = console::Form::json,
                    const formats::FormatPtr& format = formats::json()) {
  console::Lines lines(form, format);
  std::string line;
  lines.append(line, visits, record);
  return line;
}

}  // namespace

TEST_CASE("a record is a JSON object of what it has") {
  CHECK(line_of({.offset = 7, .timestamp_ms = 12, .key = "k", .value = R"({"id": 1})"}) ==
        R"({"topic":"visits","partition":3,"offset":7,"timestamp":12,"key":"k","value":{"id": 1}})"
        "\n");
  CHECK(line_of({.offset = 8}) == R"({"topic":"visits","partition":3,"offset":8})"
                                  "\n");
  CHECK(line_of({.offset = 9, .key = "", .value = ""}) ==
        R"({"topic":"visits","partition":3,"offset":9,"key":"","value":""})"
        "\n");
}

TEST_CASE("a record is one line, whatever its value is") {
  CHECK(line_of({.offset = 1, .value = "{\"a\":\n  [1,\r\n2]}"}) ==
        R"({"topic":"visits","partition":3,"offset":1,"value":{"a":   [1,  2]}})"
        "\n");
  CHECK(line_of({.offset = 1, .value = "two\nlines \"quoted\""}) ==
        R"({"topic":"visits","partition":3,"offset":1,"value":"two\nlines \"quoted\""})"
        "\n");
  CHECK(line_of({.offset = 1, .value = "\xff\xfe"}) ==
        R"({"topic":"visits","partition":3,"offset":1,"value":{"base64":"//4="}})"
        "\n");
  CHECK(line_of({.offset = 1, .value = R"({"id": 1} trailing)"}) ==
        R"({"topic":"visits","partition":3,"offset":1,"value":"{\"id\": 1} trailing"})"
        "\n");
}

TEST_CASE("what is read as raw is text, though it looks like JSON") {
  CHECK(line_of({.offset = 1, .value = R"({"id": 1})"}, console::Form::json, formats::raw()) ==
        R"({"topic":"visits","partition":3,"offset":1,"value":"{\"id\": 1}"})"
        "\n");
}

TEST_CASE("the value alone is the value as it is") {
  CHECK(line_of({.offset = 1, .key = "k", .value = "a\xff"}, console::Form::value) == "a\xff\n");
  CHECK(line_of({.offset = 1}, console::Form::value) == "\n");
}
