// "earliest", "latest", a moment, or a table of offsets.
#include "app/start_setting.hpp"

#include <fmt/format.h>

#include "config/complaint.hpp"
#include "config/units.hpp"

namespace semel::app {

namespace {

using config::key_text;
using config::Moment;
using config::parse_moment;
using config::quoted;
using config::Value;
using config::wrong;
using config::Wrong;
using config::wrong_type;

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
        return wrong(offset,
                     fmt::format("{}: {} is not a partition", expected, config::quoted(partition)));
      }
      if (number == nullptr) return wrong_type(offset, "an offset (an integer) per partition");
      if (*number < 0) return wrong(offset, "must hold offsets of at least 0");
      out.offsets[{topic, std::stoi(partition)}] = *number;
    }
  }
  if (out.offsets.empty()) return config::Problem{{}, expected};
  return std::nullopt;
}

std::string show_offsets(const kafka::StartOffsets& start) {
  std::map<std::string, std::string> topics;
  for (const auto& [tp, offset] : start.offsets) {
    auto& text = topics[tp.topic];
    text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", tp.partition, offset);
  }
  std::string out;
  for (const auto& [topic, text] : topics) {
    out += fmt::format("{}{} = {{ {} }}", out.empty() ? "" : ", ", key_text(topic), text);
  }
  return fmt::format("{{ {} }}", out);
}

}  // namespace

config::Binding start_setting(const config::Field<kafka::Start>& field) {
  return {
      .type = "string or table",
      .open_table = false,
      .assign = [field](config::Part& part, const Value& given) -> Wrong {
        const auto value = config::reread(given);
        if (const auto* topics = value.as<Value::Table>()) {
          kafka::StartOffsets offsets;
          if (auto problem = read_offsets(*topics, offsets)) {
            if (problem->place.source.empty()) problem->place = value.place;
            return problem;
          }
          field(part) = std::move(offsets);
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
          field(part) = kafka::StartEarliest{};
        } else if (*word == "latest") {
          field(part) = kafka::StartLatest{};
        } else if (const auto ms = parse_moment(*word)) {
          if (*ms < 0) return wrong(value, "must not lie before 1970");
          field(part) = kafka::StartTimestamp{*ms};
        } else if (parse_moment(*word + "Z") || parse_moment(*word + "T00:00:00Z")) {
          return wrong(value, fmt::format("must say time and zone, such as \"{}Z\"",
                                          parse_moment(*word + "Z") ? *word : *word + "T00:00:00"));
        } else {
          return wrong(value, fmt::format("must be {}, not {}", expected, config::quoted(*word)));
        }
        return std::nullopt;
      },
      .show = [field](config::Part& part) -> std::string {
        struct Show {
          std::string operator()(const kafka::StartEarliest&) const { return "\"earliest\""; }
          std::string operator()(const kafka::StartLatest&) const { return "\"latest\""; }
          std::string operator()(const kafka::StartTimestamp& at) const {
            return config::quoted(config::format_moment(at.ms));
          }
          std::string operator()(const kafka::StartOffsets& offsets) const {
            return show_offsets(offsets);
          }
        };
        return std::visit(Show{}, field(part));
      }};
}

}  // namespace semel::app
