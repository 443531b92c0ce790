// What the documents show works as it is written there.
#include <fmt/format.h>
#include <filesystem>
#include <regex>
#include <set>
#include <sstream>

#include "integration/cli/setup.hpp"
#include "support/catch.hpp"
#include "support/servers.hpp"

using namespace semel::test;

namespace {

namespace fs = std::filesystem;

const std::string examples_root = SEMEL_SOURCE_ROOT;

struct Block {
  std::string language;  ///< what follows the opening fence
  std::string text;
};

std::vector<Block> blocks_of(const std::string& document) {
  std::vector<Block> blocks;
  std::istringstream lines(read_file(examples_root + "/" + document));
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) {
      if (!inside) blocks.push_back({line.substr(3), ""});
      inside = !inside;
    } else if (inside) {
      blocks.back().text += line + "\n";
    }
  }
  return blocks;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// Is there a line like this, where "…" stands for anything?
bool was_shown(const std::string& output, const std::string& line) {
  auto pattern = std::regex_replace(line, std::regex(R"([.^$|()\[\]{}*+?\\])"), R"(\$&)");
  pattern = std::regex_replace(pattern, std::regex("…"), ".*");
  const std::regex wanted("\\s*" + pattern + "\\s*");
  for (const auto& candidate : lines_of(output)) {
    if (std::regex_match(candidate, wanted)) return true;
  }
  return false;
}

std::string with_replaced(std::string text, const std::string& what, const std::string& by) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
  return text;
}

/// A shell in an empty directory, with the servers that the documents speak of: a broker that they
/// call localhost:9092, with their topics, and a PostgreSQL with a database "shop".
class Reader {
 public:
  Reader() {
    for (const auto* topic :
         {"clicks",         "prices",      "events",    "customers",  "visits",
          "orders",         "visits-copy", "profiles",  "visitors",   "stock",
          "readings",       "parts",       "purchases", "sensors",    "shop.customers",
          "shop.addresses", "shop.old",    "actions",   "deliveries", "sales",
          "letters",        "shop-web",    "shop-app",  "stays",      "invited"}) {
      KafkaServer::shared().create_topic(topic, 1);
    }
    PostgresServer::execute(PostgresServer::shared().dsn(), "DROP DATABASE IF EXISTS shop");
    PostgresServer::execute(PostgresServer::shared().dsn(), "CREATE DATABASE shop");
    fs::create_directory(dir_.path() / "bin");
    fs::create_symlink(SEMEL_BINARY, dir_.path() / "bin/semel");
    fs::create_symlink(SEMEL_KCAT, dir_.path() / "bin/kcat");
    fs::create_directory(dir_.path() / "work");
  }

  ProcessResult type(const std::string& commands) const {
    return run({.argv = {"bash", "-euo", "pipefail", "-c", in_place(commands)},
                .env = {{"PATH", (dir_ / "bin") + ":" + std::getenv("PATH")},
                        {"HOME", dir_ / "work"},
                        {"XDG_STATE_HOME", dir_ / "state"},
                        {"PGHOST", "127.0.0.1"},
                        {"PGPORT", std::to_string(PostgresServer::shared().port())},
                        {"PGUSER", "postgres"}},
                .directory = dir_ / "work"});
  }
  void write(const std::string& name, const std::string& content) const {
    write_file(dir_.path() / "work" / name, in_place(content));
  }

 private:
  static std::string in_place(const std::string& text) {
    return with_replaced(text, "localhost:9092", KafkaServer::shared().bootstrap_servers());
  }
  TempDir dir_;
};

struct Followed {
  int commands = 0;  ///< blocks that a shell was given, or psql
  int outputs = 0;   ///< blocks that say what comes of it
};

/// Does what a document says, from the top to the end.
Followed follow(const Reader& reader, const std::string& document) {
  Followed followed;
  std::string output;
  for (const auto& [language, text] : blocks_of(document)) {
    CAPTURE(document, text);
    if (language == "sh" || language == "sql") {
      const auto result = reader.type(
          language == "sh" ? text : "psql -v ON_ERROR_STOP=1 shop <<'SQL'\n" + text + "SQL\n");
      INFO(result.out << result.err);
      // `semel check` tells of a bad record in the sample, and that is no failure.
      REQUIRE(result.code == 0);
      output = result.out;
      ++followed.commands;
    } else if (language == "toml" && text.starts_with("# ")) {
      reader.write(text.substr(2, text.find('\n') - 2), text);
    } else if (language == "text") {
      for (const auto& line : lines_of(text)) {
        CAPTURE(line, output);
        CHECK(was_shown(output, line));
      }
      ++followed.outputs;
    }
  }
  return followed;
}

}  // namespace

TEST_CASE("README and guides work as they are written, from the top to the end") {
  if (!kafka_available()) return;
  const Reader reader;
  const auto follow_page = [&](const std::string& page, int commands, int outputs) {
    const auto followed = follow(reader, page);
    INFO(page);
    CHECK(followed.commands >= commands);
    CHECK(followed.outputs >= outputs);
  };
  follow_page("README.md", 8, 3);
  follow_page("docs/guides/recipes.md", 4, 2);
  follow_page("docs/guides/upsert.md", 4, 2);
  follow_page("docs/guides/several-tables.md", 6, 3);
  follow_page("docs/guides/making-tables.md", 2, 2);
  follow_page("docs/guides/from-kafka-connect.md", 2, 1);
  follow_page("docs/guides/sqlite.md", 4, 3);
  follow_page("docs/guides/files.md", 5, 4);
  follow_page("docs/guides/kafka-sink.md", 4, 1);
  const auto copied = reader.type("kcat -C -e -q -b localhost:9092 -t visits-copy");
  CHECK(copied.out == reader.type("kcat -C -e -q -b localhost:9092 -t visits").out);
  CHECK_FALSE(copied.out.empty());

  follow_page("docs/guides/rocksdb.md", 3, 2);
  follow_page("docs/guides/console.md", 2, 1);
  follow_page("docs/guides/rebuilding.md", 7, 3);
  follow_page("docs/guides/bad-records.md", 6, 5);
  follow_page("docs/guides/moving.md", 4, 2);
  follow_page("docs/guides/more-topics.md", 4, 2);
  follow_page("docs/guides/fault-policies.md", 1, 1);
  // Gone before it is planned: no batch had it.
  CHECK(
      reader.type("printf '{\"meter\": %d}\\n' 3 4 | kcat -P -b localhost:9092 -t readings").code ==
      0);
  KafkaServer::shared().delete_records("readings", 0, 3);
  const auto skipped = reader.type("semel run readings.toml --once && semel verify readings.toml");
  INFO(skipped.out << skipped.err);
  CHECK(skipped.code == 0);
  CHECK(skipped.out.find("records lost, went on from 2 to 3") != std::string::npos);
  CHECK(reader.type("psql shop -Atc 'SELECT meter FROM readings ORDER BY 1'").out == "1\n2\n4\n");

  // Beside the README's dead letter, which SQL can bring back, one that only the topic can take:
  // it is no text.
  const auto another = reader.type(
      "printf '\\xff\\0\\n\\xfe' >bytes\n"
      "kcat -P -b localhost:9092 -t clicks -k 'a key' bytes\n"
      "semel run clicks.toml --once");
  REQUIRE(another.code == 0);
  follow_page("docs/guides/operations.md", 4, 1);
  CHECK(reader.type("psql shop -Atc 'SELECT id, page FROM clicks ORDER BY id DESC LIMIT 1'").out ==
        "3|/home\n");
  const auto again = reader.type(
      "semel run clicks.toml --once\n"
      "psql shop -Atc \"SELECT convert_from(key, 'UTF8'), value FROM semel_dead_letters WHERE "
      "pipeline = 'clicks'\"");
  INFO(again.err);
  CHECK(again.out.ends_with("a key|\\xff000afe\na key|\\xff000afe\n"));
}

TEST_CASE("every command and option that a document shows is one of the program's") {
  std::set<std::string> known;
  for (const auto& line : lines_of(run_semel({"reference", "commands"}).out)) known.insert(line);
  REQUIRE(known.size() > 20);
  std::vector<std::string> documents{"README.md", "docs/reference/cli.md"};
  for (const auto& entry : fs::directory_iterator(examples_root + "/docs/guides")) {
    documents.push_back("docs/guides/" + entry.path().filename().string());
  }
  const std::regex option(R"( (--[a-z-]+))");
  int checked = 0;
  for (const auto& document : documents) {
    for (const auto& block : blocks_of(document)) {
      for (auto line : lines_of(block.text)) {
        if (!line.starts_with("semel ")) continue;
        line.erase(std::min(line.find("#"), line.size()));
        std::istringstream words(line);
        std::string word;
        words >> word >> word;
        if (word == "COMMAND") continue;
        CAPTURE(document, line);
        CHECK(known.contains(word));
        for (std::sregex_iterator it(line.begin(), line.end(), option), end; it != end; ++it) {
          CHECK(known.contains(word + " " + (*it)[1].str()));
        }
        ++checked;
      }
    }
  }
  CHECK(checked >= 10);
}
