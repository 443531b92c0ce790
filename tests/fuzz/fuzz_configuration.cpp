// Arbitrary bytes as a configuration file; lines that begin with "--set " are overrides. It is
// loaded or refused with a place, what `semel` prints of it can be loaded again, and no password is
// shown.
#include <libpq-fe.h>

#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "app/connectors.hpp"
#include "app/pipeline_config.hpp"
#include "kafka/secret_property.hpp"
#include "fuzz.hpp"
#include "postgres/client/secrets.hpp"
#include "postgres/options.hpp"
#include "postgres/settings.hpp"

namespace semel::app {

/// The list of connectors as far as a configuration needs it.
const std::vector<Connector>& connectors() {
  static const std::vector<Connector> all{{.name = "postgres", .settings = postgres::settings()}};
  return all;
}

}  // namespace semel::app

using namespace semel;
using fuzz::hold;

namespace {

const postgres::Options& postgres_of(const app::PipelineConfig& config) {
  return config.sinks.front().options.as<postgres::Options>();
}

/// What ${PASSWORD} stands for: nothing else in a file looks like it.
constexpr const char* password = "s3cr3t-7f91";

const bool environment_set = [] {
  setenv("PASSWORD", password, 1);
  setenv("NUMBER", "8", 1);
  setenv("WORDS", "a,b", 1);
  setenv("QUOTE", "a\"b\\c\n${NUMBER}", 1);
  setenv("EMPTY", "", 1);
  return true;
}();

struct Input {
  std::string text;
  std::vector<std::string> overrides;
};

Input input_of(std::string_view bytes) {
  Input input;
  while (!bytes.empty()) {
    const auto line = bytes.substr(0, bytes.find('\n'));
    if (line.starts_with("--set ")) {
      input.overrides.emplace_back(line.substr(6));
      // Nobody can give a NUL on a command line.
      if (auto& last = input.overrides.back(); last.find('\0') != std::string::npos) {
        last.resize(last.find('\0'));
      }
    } else {
      input.text.append(line).append("\n");
    }
    bytes.remove_prefix(std::min(line.size() + 1, bytes.size()));
  }
  return input;
}

/// Whether libpq takes `text` for a part of a password in `dsn`, and of nothing else.
bool only_in_password(const std::string& dsn, std::string_view text) {
  char* error = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(dsn.c_str(), &error), &PQconninfoFree);
  PQfreemem(error);
  bool in_password = false;
  if (options == nullptr) return false;
  for (const auto* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val == nullptr || std::string_view(option->val).find(text) == std::string::npos) {
      continue;
    }
    const std::string_view keyword(option->keyword);
    if (keyword != "password" && keyword != "sslpassword") return false;
    in_password = true;
  }
  return in_password;
}

void check_error(const Error& error, const Input& input) {
  hold(error.kind == ErrorKind::fatal && error.cause == Cause::configuration,
       "a wrong configuration is a fatal error of the configuration");
  hold(!error.message.empty(), "an error says why");
  std::istringstream lines(error.message);
  for (std::string line; std::getline(lines, line);) {
    hold(line.starts_with("f.toml: ") || line.starts_with("f.toml:") || line.starts_with("--set"),
         "each line of an error says where", error.message);
  }
  if (fuzz::is_utf8(input.text)) {
    bool all = true;
    for (const auto& text : input.overrides) all = all && fuzz::is_utf8(text);
    hold(!all || fuzz::is_utf8(error.message), "an error is UTF-8", error.message);
  }
}

void check_secrets(const app::PipelineConfig& config, const std::string& shown) {
  if (only_in_password(postgres_of(config).dsn, password)) {
    hold(postgres::mask_connection_string(postgres_of(config).dsn).find(password) ==
             std::string::npos,
         "a connection string is shown without its password", shown);
  }
  for (const auto& [name, value] : config.pipeline.kafka.librdkafka) {
    if (value != password || !kafka::is_secret_property(name)) continue;
    hold(shown.find("\"" + name + "\" = \"" + password) == std::string::npos,
         "a secret property is not shown", shown);
  }
}

/// Fields as they are, where show() could lose something in the same way twice.
void check_fields(const app::PipelineConfig& a, const app::PipelineConfig& b,
                  const std::string& shown) {
  const auto& ours = a.pipeline.kafka;
  const auto& theirs = b.pipeline.kafka;
  hold(a.pipeline.name == b.pipeline.name && ours.brokers == theirs.brokers &&
           ours.topics == theirs.topics && ours.topic_pattern == theirs.topic_pattern &&
           ours.start == theirs.start && a.format == b.format && ours.group_id == theirs.group_id &&
           ours.discovery_interval_ms == theirs.discovery_interval_ms &&
           ours.reader_memory_bytes == theirs.reader_memory_bytes,
       "what is shown of Kafka is what is in effect", shown);
  hold(postgres_of(a).table == postgres_of(b).table &&
           postgres_of(a).columns == postgres_of(b).columns &&
           postgres_of(a).policy.bad_share_max == postgres_of(b).policy.bad_share_max &&
           postgres_of(a).owners_table == postgres_of(b).owners_table &&
           postgres_of(a).ledger_schema == postgres_of(b).ledger_schema &&
           postgres_of(a).keep_commits_hours == postgres_of(b).keep_commits_hours,
       "what is shown of PostgreSQL is what is in effect", shown);
  for (const auto& [name, value] : ours.librdkafka) {
    const auto found = theirs.librdkafka.find(name);
    hold(found != theirs.librdkafka.end(), "no property gets lost", shown);
    if (!kafka::is_secret_property(name)) hold(found->second == value, "properties stay", shown);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Input input = input_of({reinterpret_cast<const char*>(data), size});
  const auto loaded = app::parse(input.text, "f.toml", input.overrides);
  if (!loaded) {
    check_error(loaded.error(), input);
    return 0;
  }
  const std::string shown = app::render(*loaded);
  check_secrets(*loaded, shown);
  const auto again = app::parse(shown, "shown.toml");
  hold(again.has_value(), "what is shown can be loaded",
       again ? "" : again.error().message + "\n" + shown);
  hold(app::render(*again) == shown, "what is shown is shown the same again", shown);
  check_fields(*loaded, *again, shown);
  return 0;
}
