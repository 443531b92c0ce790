// The page and its declarations.
#include "metrics/page.hpp"

#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>

#include "metrics/declarations.hpp"
#include "metrics/pipeline.hpp"
#include "metrics/process.hpp"
#include "support/catch.hpp"

using namespace semel;
using namespace semel::metrics;
using namespace std::chrono_literals;

namespace {

/// Something of everything.
void fill(OutputMetrics& output) {
  output.read(3, 300);
  output.committed(3, 300, {.rows = 2, .dead_letters = 1});
  output.retries.add("unavailable", 1);
  output.partitions.publish({{.tp = {"clicks", 0}, .lag = 4, .written_ms = 1, .since_ms = 1}});
}

std::string page_of(const PipelineMetrics& pipeline, std::size_t series = 1'000) {
  Page page;
  pipeline.collect(page, series);
  put_process(page, "1.2.3", "2.0.2");
  return page.text();
}

bool has(const std::string& page, const std::string& line) {
  return ("\n" + page).find("\n" + line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("every metric that is declared is on the page, and no other") {
  PipelineMetrics pipeline("clicks", {"default"});
  fill(pipeline.output("default"));
  const auto page = page_of(pipeline);
  std::set<std::string> shown;
  const std::regex type("# TYPE (\\S+) \\S+");
  for (auto found = std::sregex_iterator(page.begin(), page.end(), type);
       found != std::sregex_iterator(); ++found) {
    CHECK(shown.insert((*found)[1]).second);
  }
  std::set<std::string> declared;
  for (const auto& metric : declarations()) declared.insert(std::string(metric.name));
  CHECK(shown == declared);
  CHECK_THROWS_AS(Page().put("semel_other", {}, 1), std::logic_error);
}

TEST_CASE("samples carry the pipeline, and the output only where there are several") {
  PipelineMetrics one("clicks", {"default"});
  fill(one.output("default"));
  CHECK(has(page_of(one), R"(semel_rows_total{pipeline="clicks"} 2)"));
  CHECK(
      has(page_of(one), R"(semel_lag_records{pipeline="clicks",topic="clicks",partition="0"} 4)"));

  PipelineMetrics two("clicks", {"shop", "archive"});
  fill(two.output("archive"));
  const auto page = page_of(two);
  CHECK(has(page, R"(semel_rows_total{pipeline="clicks",output="shop"} 0)"));
  CHECK(has(page, R"(semel_rows_total{pipeline="clicks",output="archive"} 2)"));
  CHECK(has(page, R"(semel_source_up{pipeline="clicks",output="shop"} 0)"));
}

TEST_CASE("a name with quotes and line breaks does not leave its label") {
  PipelineMetrics pipeline("a\"b\n} 1\\", {"default"});
  CHECK(has(page_of(pipeline), R"(semel_epoch{pipeline="a\"b\n} 1\\"} 0)"));
}

TEST_CASE("each record of a range is counted in one place") {
  OutputMetrics output;
  output.committed(
      10, 1'000,
      {.rows = 5, .dead_letters = 2, .unknown_fields = 9, .ignored = 2, .suppressed = 1});
  CHECK(output.records.Value() == 10);
  CHECK(output.rows.Value() + output.dead_letters.sum() + output.ignored.Value() +
            output.suppressed.Value() ==
        10);
  CHECK(output.unknown_fields.Value() == 9);
  CHECK(output.bytes.Value() == 1'000);
  CHECK(output.sink.up());
}

TEST_CASE("dead letters are told by code, those without one too, and none twice") {
  PipelineMetrics pipeline("clicks", {"default"});
  auto& output = pipeline.output("default");
  output.committed(4, 0, {.dead_letters = 4, .dead_letter_codes = {{"22P02", 2}, {"23505", 1}}});
  output.committed(1, 0, {.dead_letters = 1, .dead_letter_codes = {{"22P02", 1}}});
  CHECK(output.dead_letters.sum() == 5);
  const auto page = page_of(pipeline);
  CHECK(has(page, R"(semel_dead_letters_total{pipeline="clicks",code="22P02"} 3)"));
  CHECK(has(page, R"(semel_dead_letters_total{pipeline="clicks",code="23505"} 1)"));
  CHECK(has(page, R"(semel_dead_letters_total{pipeline="clicks",code=""} 1)"));
}

TEST_CASE("reading is counted apart from what is committed, and its beginning once") {
  OutputMetrics output;
  output.read(2, 10);
  const auto first = output.first_read_seconds.Value();
  CHECK(first > 0);
  output.read(3, 10);
  CHECK(output.first_read_seconds.Value() == first);
  CHECK(output.read_records.Value() == 5);
  CHECK(output.records.Value() == 0);
}

TEST_CASE("a server is up after an exchange that succeeded, and says what failed") {
  Contact contact;
  CHECK_FALSE(contact.up());
  CHECK(contact.why().empty());
  contact.succeeded();
  CHECK(contact.up());
  contact.failed("connection refused");
  CHECK_FALSE(contact.up());
  CHECK(contact.why() == "connection refused");
  contact.succeeded();
  CHECK(contact.up());
  CHECK(contact.why().empty());
}

TEST_CASE("the committed reference page is what the declarations say") {
  std::ifstream file(SEMEL_SOURCE_ROOT "/docs/reference/metrics.md");
  std::ostringstream page;
  page << file.rdbuf();
  // Differs? `semel reference metrics > docs/reference/metrics.md`
  CHECK(page.str() == reference_page());
}

TEST_CASE("the reference page has a line for every metric") {
  const auto page = reference_page();
  for (const auto& metric : declarations()) {
    CAPTURE(metric.name);
    CHECK(page.find("| `" + std::string(metric.name) + "` |") != std::string::npos);
    CHECK_FALSE(metric.help.empty());
    CHECK_FALSE(metric.help.ends_with('.'));
  }
}

TEST_CASE("the process is told by what the kernel knows") {
  Page page;
  put_process(page, "1.2.3", "2.0.2");
  const auto text = page.text();
  CHECK(has(text, R"(semel_build_info{version="1.2.3",librdkafka="2.0.2"} 1)"));
  std::istringstream lines(text);
  int values = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('#')) continue;
    CAPTURE(line);
    CHECK(std::stod(line.substr(line.rfind(' '))) > 0);
    ++values;
  }
  CHECK(values == 8);
}
