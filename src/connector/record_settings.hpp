// What every sink lets people say of records: which part goes into which column, and what becomes
// of those that are no plain rows.
#pragma once

#include <cstdint>
#include <vector>

#include "config/setting.hpp"
#include "record/policy.hpp"
#include "record/rule.hpp"

namespace semel {

/// What a connector can do of what people may want.
enum class Removals : std::uint8_t { none, by_key };

/// columns, names, nul, nan, unknown_fields, tombstones, on_bad_record, bad_share_max,
/// bad_share_min_records: for the section of a connector whose options have these two members.
std::vector<config::Setting> record_settings(const config::Field<record::ColumnRules>& columns,
                                             const config::Field<record::Policy>& policy,
                                             Removals removals = Removals::none);

/// The last three of them: what becomes of records that are bad.
std::vector<config::Setting> bad_record_settings(const config::Field<record::Policy>& policy);

}  // namespace semel
