#include <semel/contract/catch2.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "contract/letters.hpp"
#include "contract/process.hpp"
#include "file/entry.hpp"
#include "file/file.hpp"
#include "file/options.hpp"
#include "formats/formats.hpp"
#include "support/catch.hpp"
#include "support/temp_dir.hpp"

using namespace semel;

namespace {

namespace fs = std::filesystem;

class FileSubject final : public contract::Subject {
 public:
  std::unique_ptr<Sink> open(const Owner& owner) override {
    return contract::must(file::connector().make_sink(options(), context(owner)));
  }
  std::unique_ptr<Ledger> ledger(const std::string& pipeline, const std::string& output) override {
    return contract::must(file::connector().open_ledger(
        options(), context({.pipeline = pipeline, .output = output})));
  }
  std::string good_value(Offset offset) override {
    return "{\"id\": " + std::to_string(offset) + "}";
  }
  std::optional<std::string> bad_value() override { return "{\"id\": "; }
  std::vector<Offset> stored() override { return numbers_behind("\"o\":", dir_ / "."); }
  std::vector<Offset> dead() override {
    return numbers_behind("\"offset\":", dir_ / "_dead_letters");
  }
  std::optional<std::string> expected(const Record& record) override {
    // Of the value two members.
    const auto value = nlohmann::json::parse(record.value.value_or(""), nullptr, false);
    if (!value.is_object()) return std::nullopt;
    return contract::text_of(record.key, kept(value));
  }
  std::map<Offset, std::string> contents() override {
    std::map<Offset, std::string> all;
    for (const auto& line : lines(dir_ / ".")) {
      const auto row = nlohmann::json::parse(line);
      const auto key =
          row["k"].is_null() ? std::nullopt : std::optional(row["k"].get<std::string>());
      all[row["o"]] = contract::text_of(key, kept(row));
    }
    return all;
  }
  std::optional<std::string> expected_dead(const Record& record) override {
    return contract::letter_of(record);
  }
  std::map<Offset, std::string> dead_contents() override {
    std::map<Offset, std::string> all;
    for (const auto& line : lines(dir_ / "_dead_letters")) {
      const auto row = nlohmann::json::parse(line);
      all[row["offset"]] = contract::letter_of(row);
    }
    return all;
  }
  std::map<Offset, std::string> dead_reasons() override {
    std::map<Offset, std::string> all;
    for (const auto& line : lines(dir_ / "_dead_letters")) {
      const auto row = nlohmann::json::parse(line);
      all[row["offset"]] = row["reason"];
    }
    return all;
  }
  bool lose_positions() override {
    std::vector<fs::path> all;
    for (const auto& one : fs::directory_iterator(dir_ / "_semel/pipe.out")) {
      if (one.path().extension() == ".ledger") all.push_back(one.path());
    }
    std::ofstream(*std::ranges::max_element(all), std::ios::app) << file::line_of(
        {.base = {},
         .changes = {{&store::progress(), {std::string("pipe"), std::string("out")}, true}},
         .files = {}});
    return true;
  }
  // Who commits links an entry: nobody has to be waited for.
  std::shared_ptr<void> hold_up() override { return nullptr; }

 private:
  static std::string kept(const nlohmann::json& value) {
    return value.value("id", nlohmann::json()).dump() +
           value.value("text", nlohmann::json()).dump();
  }
  config::Part options() const {
    file::Options options{.directory = dir_ / ".", .schema = {"o", "k", "id", "text"}};
    options.rows.columns = {{"o", "@offset"}, {"k", "@key"}};
    return config::Part::of(options);
  }
  static SinkContext context(const Owner& owner) {
    return {.owner = owner, .format = formats::json()};
  }
  static std::vector<std::string> lines(const std::string& directory) {
    std::vector<std::string> all;
    if (!fs::exists(directory)) return all;
    for (const auto& one : fs::directory_iterator(directory)) {
      if (one.path().extension() != ".jsonl") continue;
      std::ifstream file(one.path());
      for (std::string line; std::getline(file, line);) all.push_back(line);
    }
    return all;
  }
  /// In the lines of a directory's files.
  static std::vector<Offset> numbers_behind(const std::string& mark, const std::string& directory) {
    std::vector<Offset> all;
    for (const auto& line : lines(directory)) {
      all.push_back(std::stoll(line.substr(line.find(mark) + mark.size())));
    }
    std::ranges::sort(all);
    return all;
  }

  test::TempDir dir_;
};

}  // namespace

TEST_CASE("the file sink keeps the contract of sinks") {
  contract::run_in_catch2([] { return std::make_unique<FileSubject>(); }, Guarantee::transactional);
}

TEST_CASE("journals are only added to: the ledger of files forgets nothing, and says so") {
  FileSubject subject;
  contract::Process process(subject, "a");
  process.start();
  process.store(0, 3);
  process.sink->leave(std::nullopt);
  const auto ledger = subject.ledger("pipe", "out");
  const auto forgotten = ledger->forget();
  REQUIRE_FALSE(forgotten);
  CHECK(forgotten.error().message.find("forgets nothing") != std::string::npos);
  CHECK(contract::moves_of(*ledger).size() == 2);
}
