#include "postgres/table/routing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "postgres/client/quoting.hpp"

namespace semel::postgres {

std::vector<Options> table_rules(const Options& options) {
  std::vector<Options> rules;
  // A brace that is written twice is one, where nothing is filled in.
  const auto add = [&](Options rule) {
    if (!record::has_groups(rule.table)) rule.table = record::fill_groups(rule.table, {});
    rules.push_back(std::move(rule));
  };
  if (options.tables.empty()) {
    add(options);
    return rules;
  }
  for (const auto& table : options.tables) {
    auto rule = options;
    rule.tables.clear();
    rule.table = table.table;
    rule.route.from = table.route.from;
    rule.route.to = table.route.to;
    rule.path = table.path;
    rule.columns = table.columns;
    rule.types = table.types;
    rule.write = table.write;
    rule.on_conflict = table.on_conflict;
    rule.key = table.key;
    rule.version = table.version;
    rule.marks_removed = table.marks_removed;
    rule.policy.tombstones = table.policy.tombstones;
    rule.policy.removes_from = table.policy.removes_from;
    rule.policy.removes_if = table.policy.removes_if;
    add(std::move(rule));
  }
  return rules;
}

bool is_fixed(const Options& rule) {
  return rule.route.to.empty() && !record::has_groups(rule.table);
}

std::optional<std::string> table_for(const Options& rule, const std::string& said) {
  if (const auto found = rule.route.to.find(said); found != rule.route.to.end()) {
    return found->second;
  }
  if (rule.table.empty()) return std::nullopt;
  if (!record::has_groups(rule.table)) return rule.table;
  if (said.empty()) return std::nullopt;
  const auto groups =
      record::groups_of(said, rule.route.by_topic() ? rule.route.pattern : std::string());
  // Filled in after it is split: a dot of a topic separates nothing.
  const auto name = split_name(rule.table);
  const QualifiedName filled{record::fill_groups(name.schema, groups),
                             record::fill_groups(name.name, groups)};
  const bool fits = !filled.name.empty() && filled.name.size() <= identifier_bytes_max &&
                    filled.schema.size() <= identifier_bytes_max &&
                    filled.schema.empty() == name.schema.empty() &&
                    filled.name.find('\0') == std::string::npos;
  return fits ? std::optional(filled.quoted()) : std::nullopt;
}

std::vector<std::string> tables_known(const Options& rule, std::span<const std::string> topics) {
  if (is_fixed(rule)) return {rule.table};
  std::vector<std::string> known;
  const auto add = [&](std::string table) {
    if (std::ranges::find(known, table) == known.end()) known.push_back(std::move(table));
  };
  for (const auto& [said, table] : rule.route.to) add(table);
  if (rule.route.by_topic()) {
    for (const auto& topic : topics) {
      if (auto table = table_for(rule, topic)) add(*std::move(table));
    }
  }
  return known;
}

std::string name_of_rule(const Options& rule) {
  std::string name;
  for (const auto& [said, table] : rule.route.to) {
    name += fmt::format("{}{} for {}", name.empty() ? "" : ", ", split_name(table).quoted(),
                        quote_literal(said));
  }
  if (!rule.table.empty()) {
    name += fmt::format("{}{}", name.empty() ? "" : ", else ", split_name(rule.table).quoted());
  }
  if (!rule.route.by_topic()) name += " by " + rule.route.from;
  if (!rule.path.empty()) name += " from " + rule.path;
  return name;
}

std::optional<RuleMistake> routing_mistake(std::span<const Options> rules) {
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const auto& rule = rules[i];
    if (!rule.route.by_topic() && is_fixed(rule)) {
      return RuleMistake{i, "route",
                         "says nothing: the table is the same for all records. Put "
                         "{0} into its name, or pairs into routes"};
    }
    const auto highest = record::highest_group(rule.table);
    if (!highest) continue;
    const auto there = rule.route.by_topic() ? record::groups_in(rule.route.pattern) : 0;
    if (*highest > there) {
      return RuleMistake{i, "table",
                         fmt::format("has {{{}}}, and {} has {} group{}", *highest,
                                     rule.route.by_topic() ? "source.kafka.topic_pattern" : "route",
                                     there, there == 1 ? "" : "s")};
    }
  }
  return std::nullopt;
}

}  // namespace semel::postgres
