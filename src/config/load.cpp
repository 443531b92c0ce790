#include <fmt/format.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <system_error>

#include "config/document.hpp"
#include "config/pipeline_config.hpp"
#include "config/setting.hpp"
#include "kafka/passthrough.hpp"

namespace semel::config {

namespace {

/// One line for each problem, whatever the keys and texts hold that it quotes.
std::string line_of(const Problem& problem) {
  return one_line(fmt::format("{}: {}", to_string(problem.place), problem.text));
}

/// Where the entry of a table whose keys may have dots in them stands; of the table, where it is
/// not known more exactly.
Place place_below(const Value& value, std::string_view path) {
  const auto* table = value.as<Value::Table>();
  if (table == nullptr) return value.place;
  for (const auto& [key, entry] : *table) {
    if (path == key) return entry.place;
    if (path.starts_with(key) && path.substr(key.size()).starts_with('.')) {
      return place_below(entry, path.substr(key.size() + 1));
    }
  }
  return value.place;
}

class Loader {
 public:
  Loader(std::string name, Document document)
      : name_(std::move(name)), document_(std::move(document)) {}

  Result<PipelineConfig> load() {
    for (const auto& [setting, value] : document_.values) {
      if (auto problem = setting->binding.assign(config_, value)) {
        problem->text = setting->path + " " + problem->text;
        document_.problems.push_back(*std::move(problem));
      }
    }
    check_together();
    // The order of the file; what the command line says comes last.
    std::stable_sort(document_.problems.begin(), document_.problems.end(),
                     [](const Problem& a, const Problem& b) {
                       return std::pair(a.place.line - 1, a.place.column) <
                              std::pair(b.place.line - 1, b.place.column);
                     });
    find_missing();
    if (document_.problems.empty()) return std::move(config_);
    std::string message;
    for (const auto& problem : document_.problems) {
      message += (message.empty() ? "" : "\n") + line_of(problem);
    }
    return fail(ErrorKind::fatal, Cause::configuration, std::move(message));
  }

 private:
  const Value* given(const std::string& path) const {
    const auto found = document_.values.find(find_setting(path));
    return found == document_.values.end() ? nullptr : &found->second;
  }

  void problem(const std::string& path, const std::string& text) {
    const auto* value = given(path);
    document_.problems.push_back(
        {value != nullptr ? value->place : Place{name_}, path + " " + text});
  }

  /// What no setting can know alone.
  void check_together() {
    check_topics();
    const auto& limits = config_.pipeline.limits;
    if (limits.min_records_per_partition > limits.max_records_per_partition) {
      problem("batch.min_records_per_partition",
              fmt::format("must not be more than batch.max_records_per_partition ({})",
                          limits.max_records_per_partition));
    }
    if (config_.pipeline.retry.backoff_ms_min > config_.pipeline.retry.backoff_ms_max) {
      problem(given("retry.backoff_min") != nullptr ? "retry.backoff_min" : "retry.backoff_max",
              "must leave retry.backoff_min at or below retry.backoff_max");
    }
    check_properties();
    check_memory();
    check_ledger_names();
  }

  void check_properties() {
    const auto* table = given("source.kafka.librdkafka");
    if (table == nullptr) return;
    for (const auto& property : config_.pipeline.kafka.librdkafka) {
      const auto checked = kafka::validate_passthrough({property});
      if (!checked) {
        document_.problems.push_back(
            {place_below(*table, property.first), checked.error().message});
      }
    }
  }

  void check_memory() {
    const auto& pipeline = config_.pipeline;
    const auto left = pipeline.memory_limit_bytes - engine::memory_of_the_rest;
    const auto most = left / engine::memory_per_executor_min;
    if (pipeline.executors <= most) return;
    problem(
        given("executors") != nullptr ? "executors" : "memory_limit",
        fmt::format(
            "does not fit: {} executors need a memory_limit of {}MiB at least, and {}MiB "
            "is enough for {}",
            pipeline.executors,
            (engine::memory_of_the_rest + pipeline.executors * engine::memory_per_executor_min) >>
                20,
            pipeline.memory_limit_bytes >> 20, most));
  }

  void check_topics() {
    const auto& kafka = config_.pipeline.kafka;
    if (!kafka.topics.empty() && !kafka.topic_pattern.empty()) {
      problem("source.kafka.topic_pattern", "and source.kafka.topics are given: keep one of them");
    }
    const auto* listed = given("source.kafka.topics");
    const auto* list = listed != nullptr ? listed->as<Value::List>() : nullptr;
    if (list != nullptr && list->empty() && kafka.topic_pattern.empty()) {
      problem("source.kafka.topics", "must name a topic, such as [\"clicks\"]");
    }
    std::set<std::string> names;
    for (const auto& topic : kafka.topics) {
      if (!names.insert(topic).second) {
        problem("source.kafka.topics", fmt::format("names {} twice", quoted(topic)));
      }
    }
    if (!kafka.topic_pattern.empty()) {
      try {
        const std::regex pattern(kafka.topic_pattern, std::regex::ECMAScript);
      } catch (const std::regex_error& error) {
        problem("source.kafka.topic_pattern",
                fmt::format("is not a regular expression: {}", error.what()));
      }
    }
    const auto* offsets = std::get_if<kafka::StartOffsets>(&kafka.start);
    if (offsets == nullptr || kafka.topics.empty()) return;
    std::set<std::string> complained;
    for (const auto& [source, offset] : offsets->offsets) {
      if (!names.contains(source.topic) && complained.insert(source.topic).second) {
        problem(
            "source.kafka.start",
            fmt::format("names {}, which is not among source.kafka.topics", quoted(source.topic)));
      }
    }
  }

  void check_ledger_names() {
    const auto& sink = config_.postgres;
    std::set<std::string> names;
    for (const auto& [path, name] :
         {std::pair("sink.postgres.ledger.owners", sink.owners_table),
          std::pair("sink.postgres.ledger.progress", sink.progress_table),
          std::pair("sink.postgres.ledger.commits", sink.commits_table),
          std::pair("sink.postgres.ledger.dead_letters", sink.dead_letters_table)}) {
      if (!names.insert(name).second) {
        problem(path,
                fmt::format("is {} as well: the four ledger tables need four names", quoted(name)));
      }
    }
  }

  void missing(const std::string& path, const std::string& line) {
    const auto& meant = document_.probably_meant;
    const auto dot = path.rfind('.');
    const auto section = dot == std::string::npos ? "" : path.substr(0, dot);
    for (auto above = path; !above.empty();
         above = above.rfind('.') == std::string::npos ? "" : above.substr(0, above.rfind('.'))) {
      if (std::find(meant.begin(), meant.end(), above) != meant.end()) return;
    }
    document_.problems.push_back(
        {{name_},
         fmt::format("{} is missing: add the line  {}  {}", path, line,
                     section.empty() ? std::string("at the top of the file")
                                     : fmt::format("in [{}]", section))});
  }

  void find_missing() {
    for (const auto& setting : settings()) {
      if (!setting.required || given(setting.path) != nullptr) continue;
      missing(setting.path, fmt::format("{} = {}", setting.path.substr(setting.path.rfind('.') + 1),
                                        setting.example));
    }
    const auto& kafka = config_.pipeline.kafka;
    const bool given_wrongly = std::any_of(
        document_.problems.begin(), document_.problems.end(),
        [](const Problem& problem) { return problem.text.starts_with("source.kafka.topic"); });
    if (kafka.topics.empty() && kafka.topic_pattern.empty() && !given_wrongly) {
      missing("source.kafka.topics", "topics = [\"clicks\"]");
    }
  }

  std::string name_;
  Document document_;
  PipelineConfig config_;
};

}  // namespace

Result<PipelineConfig> parse(const std::string& text, const std::string& name,
                             const std::vector<std::string>& overrides) {
  auto document = read_document(text, name, overrides);
  // Nothing was read where the TOML is broken: what is missing is not known then.
  if (document.broken) {
    const auto& problem = document.problems.front();
    return fail(ErrorKind::fatal, Cause::configuration, line_of(problem));
  }
  return Loader(name, std::move(document)).load();
}

Result<PipelineConfig> load(const std::string& path, const std::vector<std::string>& overrides) {
  const auto unreadable = [&](const std::string& why) {
    return fail(
        ErrorKind::fatal, Cause::configuration,
        fmt::format("cannot read the configuration {}: {}. `semel --help` shows one that is "
                    "complete",
                    path, why));
  };
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return unreadable(std::generic_category().message(errno));
  std::ostringstream text;
  // A directory opens, but cannot be read; an empty file sets failbit and is fine.
  errno = 0;
  text << file.rdbuf();
  if (file.bad() || errno != 0) return unreadable(std::generic_category().message(errno));
  return parse(text.str(), path, overrides);
}

}  // namespace semel::config
