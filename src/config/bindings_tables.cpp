// Bindings whose values are tables: properties, columns, offsets to start from.
#include <fmt/format.h>

#include "config/complaint.hpp"
#include "config/setting.hpp"
#include "config/units.hpp"

namespace semel::config {

namespace {

/// Texts, numbers and booleans below `value`, with dotted keys.
Wrong flatten(const Value::Table& table, const std::string& prefix,
              std::map<std::string, std::string>& out) {
  for (const auto& [key, value] : table) {
    const auto name = prefix + key;
    if (value.loose) {
      out[name] = value.text;
    } else if (const auto* text = value.as<std::string>()) {
      out[name] = *text;
    } else if (const auto* integer = value.as<std::int64_t>()) {
      out[name] = std::to_string(*integer);
    } else if (const auto* number = value.as<double>()) {
      out[name] = fmt::format("{}", *number);
    } else if (const auto* boolean = value.as<bool>()) {
      out[name] = *boolean ? "true" : "false";
    } else if (const auto* below = value.as<Value::Table>()) {
      if (auto problem = flatten(*below, name + ".", out)) return problem;
    } else {
      return wrong(value, fmt::format("must hold strings, numbers or booleans, but {} is {}", name,
                                      kind_of(value)));
    }
  }
  return std::nullopt;
}

/// { clicks = { 0 = 100, 1 = 250 } }
Wrong read_offsets(const Value::Table& topics, kafka::StartOffsets& out) {
  const auto expected = "must give each topic a table of offsets, such as clicks = { 0 = 100 }";
  for (const auto& [topic, partitions] : topics) {
    const auto* table = partitions.as<Value::Table>();
    if (table == nullptr || table->empty()) return wrong(partitions, expected);
    for (const auto& [partition, offset] : *table) {
      const auto read = reread(offset);
      const auto* number = read.as<std::int64_t>();
      const bool is_partition = !partition.empty() && partition.size() <= 9 &&
                                partition.find_first_not_of("0123456789") == std::string::npos;
      if (!is_partition) {
        return wrong(offset, fmt::format("{}: {} is not a partition", expected, quoted(partition)));
      }
      if (number == nullptr) return wrong_type(offset, "an offset (an integer) per partition");
      if (*number < 0) return wrong(offset, "must hold offsets of at least 0");
      out.offsets[{topic, std::stoi(partition)}] = *number;
    }
  }
  if (out.offsets.empty()) return Problem{{}, expected};
  return std::nullopt;
}

std::string show_offsets(const kafka::StartOffsets& start) {
  std::map<std::string, std::string> topics;
  for (const auto& [source, offset] : start.offsets) {
    auto& text = topics[source.topic];
    text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", source.partition, offset);
  }
  std::string out;
  for (const auto& [topic, text] : topics) {
    out += fmt::format("{}{} = {{ {} }}", out.empty() ? "" : ", ", key_text(topic), text);
  }
  return fmt::format("{{ {} }}", out);
}

}  // namespace

Binding text_table(
    const Field<std::map<std::string, std::string>>& field,
    const std::function<std::string(const std::string&, const std::string&)>& mask_entry) {
  return {.type = "table",
          .open_table = true,
          .assign = [field](PipelineConfig& config, const Value& value) -> Wrong {
            const auto read = reread(value);
            const auto* table = read.as<Value::Table>();
            if (table == nullptr) return wrong_type(value, "a table");
            std::map<std::string, std::string> entries;
            if (auto problem = flatten(*table, "", entries)) return problem;
            field(config) = std::move(entries);
            return std::nullopt;
          },
          .show = [field, mask_entry](PipelineConfig& config) -> std::string {
            std::string out;
            for (const auto& [key, entry] : field(config)) {
              out += fmt::format("{}{} = {}", out.empty() ? "" : ", ", key_text(key),
                                 quoted_setting(mask_entry ? mask_entry(key, entry) : entry));
            }
            return out.empty() ? "" : fmt::format("{{ {} }}", out);
          }};
}

Binding start(const Field<kafka::Start>& field) {
  return {.type = "string or table",
          .open_table = false,
          .assign = [field](PipelineConfig& config, const Value& given) -> Wrong {
            const auto value = reread(given);
            if (const auto* topics = value.as<Value::Table>()) {
              kafka::StartOffsets offsets;
              if (auto problem = read_offsets(*topics, offsets)) {
                if (problem->place.source.empty()) problem->place = value.place;
                return problem;
              }
              field(config) = std::move(offsets);
              return std::nullopt;
            }
            const auto* moment = value.as<Moment>();
            const auto* word = given.loose ? &given.text
                               : moment    ? &moment->text
                                           : value.as<std::string>();
            const auto expected =
                R"("earliest", "latest", a moment such as "2026-01-31T00:00:00Z", or a table of )"
                R"(offsets per topic and partition)";
            if (word == nullptr) return wrong_type(value, expected);
            if (*word == "earliest") {
              field(config) = kafka::StartEarliest{};
            } else if (*word == "latest") {
              field(config) = kafka::StartLatest{};
            } else if (const auto ms = parse_moment(*word)) {
              if (*ms < 0) return wrong(value, "must not lie before 1970");
              field(config) = kafka::StartTimestamp{*ms};
            } else if (parse_moment(*word + "Z") || parse_moment(*word + "T00:00:00Z")) {
              return wrong(value,
                           fmt::format("must say time and zone, such as \"{}Z\"",
                                       parse_moment(*word + "Z") ? *word : *word + "T00:00:00"));
            } else {
              return wrong(value, fmt::format("must be {}, not {}", expected, quoted(*word)));
            }
            return std::nullopt;
          },
          .show = [field](PipelineConfig& config) -> std::string {
            struct Show {
              std::string operator()(const kafka::StartEarliest&) const { return "\"earliest\""; }
              std::string operator()(const kafka::StartLatest&) const { return "\"latest\""; }
              std::string operator()(const kafka::StartTimestamp& at) const {
                return quoted(format_moment(at.ms));
              }
              std::string operator()(const kafka::StartOffsets& offsets) const {
                return show_offsets(offsets);
              }
            };
            return std::visit(Show{}, field(config));
          }};
}

}  // namespace semel::config
