#include <semel/contract/catch2.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "console/console.hpp"
#include "console/options.hpp"
#include "contract/letters.hpp"
#include "contract/process.hpp"
#include "support/catch.hpp"
#include "support/temp_dir.hpp"

using namespace semel;

namespace {

/// Standard output is a file while it lives.
class ConsoleSubject final : public contract::Subject {
 public:
  ConsoleSubject() {
    const int file = ::open(printed().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    REQUIRE(file >= 0);
    REQUIRE(dup2(file, STDOUT_FILENO) == STDOUT_FILENO);
    close(file);
  }
  ~ConsoleSubject() override {
    (void)!dup2(before_, STDOUT_FILENO);
    close(before_);
  }

  std::unique_ptr<Sink> open(const Owner& owner) override {
    return contract::must(
        console::connector().make_sink(config::Part::of(console::Options{}), {.owner = owner}));
  }
  std::unique_ptr<Ledger> ledger(const std::string&, const std::string&) override {
    return nullptr;
  }
  std::string good_value(Offset offset) override { return std::to_string(offset); }
  std::optional<std::string> bad_value() override { return std::nullopt; }
  std::vector<Offset> stored() override {
    std::vector<Offset> all;
    std::ifstream lines(printed());
    const std::string mark = "\"offset\":";
    for (std::string line; std::getline(lines, line);) {
      all.push_back(std::stoll(line.substr(line.find(mark) + mark.size())));
    }
    std::ranges::sort(all);
    return all;
  }
  std::vector<Offset> dead() override { return {}; }
  std::optional<std::string> expected(const Record& record) override {
    // JSON, but the reader here does not take it.
    if (record.value && record.value->find("\\ud800") != std::string_view::npos)
      return std::nullopt;
    return contract::in_base64(record.key) + " " + (record.value ? printed_as(*record.value) : "");
  }
  std::map<Offset, std::string> contents() override {
    std::map<Offset, std::string> all;
    std::ifstream lines(printed());
    for (std::string line; std::getline(lines, line);) {
      const auto row = nlohmann::json::parse(line);
      all[row["offset"]] = contract::in_base64(row, "key") + " " +
                           (row.contains("value") ? row["value"].dump() : "");
    }
    return all;
  }
  bool lose_positions() override { return false; }
  std::shared_ptr<void> hold_up() override { return nullptr; }

 private:
  /// A JSON object as it is, text as a string.
  static std::string printed_as(std::string_view value) {
    if (value.starts_with('{') && nlohmann::json::accept(value)) {
      return nlohmann::json::parse(value).dump();
    }
    try {
      return nlohmann::json(value).dump();
    } catch (const nlohmann::json::type_error&) {  // no UTF-8
      return nlohmann::json{{"base64", record::base64(value)}}.dump();
    }
  }
  std::string printed() const { return dir_ / "printed"; }

  test::TempDir dir_;
  int before_ = dup(STDOUT_FILENO);
};

}  // namespace

TEST_CASE("the console keeps what is left of the contract without a ledger") {
  contract::run_in_catch2([] { return std::make_unique<ConsoleSubject>(); }, Guarantee::none,
                          {.keeps_ledger = false, .keeps_dead_letters = false});
}

TEST_CASE("what is set aside is no line, and the log says that it is kept nowhere") {
  ConsoleSubject console;
  std::string log;
  const SinkContext context{
      .owner = contract::owner_named("a"),
      .log = Log([&](LogLevel, std::string_view line) { log += line; }, LogLevel::warn)};
  const auto sink =
      contract::must(console::connector().make_sink(config::Part::of(console::Options{}), context));
  const auto epoch = contract::must(sink->take_over("cluster")).epoch;
  contract::must(sink->enter(std::vector{Progress{.tp = contract::tp}}));
  const auto session = contract::must(sink->open_session());
  const Task task{.time = {1'000}, .range = {contract::tp, 0, 2}, .epoch = epoch};
  contract::must(session->begin({&task, 1}));
  contract::must(session->set_aside(0, {.offset = 0, .value = "secret"}, {.reason = "secret"}));
  const Record good{.offset = 1, .value = "1"};
  contract::must(session->write(0, {&good, 1}));
  const RangeEnd end;
  CHECK(contract::committed(session->commit({&end, 1})).dead_letters == 1);
  CHECK(console.stored() == std::vector<Offset>{1});
  CHECK_THAT(log, Catch::Contains("clicks[3] offset 0 was set aside") &&
                      Catch::Contains("the console keeps none") && !Catch::Contains("secret"));
}
