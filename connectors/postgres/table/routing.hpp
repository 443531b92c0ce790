// Which tables an output writes, and which of them a record is for. No I/O.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "postgres/options.hpp"

namespace semel::postgres {

/// What `options` says of each table, or of the one that there is: Options::tables, with what is
/// said once for all of them.
std::vector<Options> table_rules(const Options& options);

/// Whether all its records go to one table, whose name is known.
bool is_fixed(const Options& rule);

/// The table for what a record says (record::RouteRule::from), as Options::table has names; absent:
/// there is none.
std::optional<std::string> table_for(const Options& rule, const std::string& said);

/// All that can be named without a record, of one topic after another where they say it.
std::vector<std::string> tables_known(const Options& rule, std::span<const std::string> topics);

/// A rule as people read it in one line, and as the ledger remembers it.
std::string name_of_rule(const Options& rule);

/// Of all rules, where they stand: "table", "tables[1].table".
struct RuleMistake {
  std::size_t rule = 0;
  std::string setting;  ///< below the rule
  std::string text;     ///< goes on after the setting's name
};
/// What is wrong with the rules, as far as they can be looked at without a server.
std::optional<RuleMistake> routing_mistake(std::span<const Options> rules);

}  // namespace semel::postgres
