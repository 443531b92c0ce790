#include "connector/record_settings.hpp"

#include <utility>

namespace semel {

using config::choice;
using config::integer;
using config::number;
using config::Setting;
using config::text_table;
using record::OnBadRecord;
using record::Policy;
using record::Tombstones;
using record::UnknownFields;

std::vector<Setting> bad_record_settings(const config::Field<record::Policy>& policy) {
  return {
      {.path = "on_bad_record",
       .binding = choice<OnBadRecord>(
           policy.of(&Policy::on_bad_record),
           {{"dead_letter", OnBadRecord::dead_letter}, {"stop", OnBadRecord::stop}}),
       .text =
           "A record that cannot be a row (not JSON, wrong type, refused by the server while its "
           "neighbours go in): `dead_letter` puts it into the dead-letter table in the same "
           "transaction, `stop` ends "
           "with exit code 7 and names topic, partition, offset and column. Outages never make "
           "dead letters."},
      {.path = "bad_share_max",
       .binding = number(policy.of(&Policy::bad_share_max), 0, 1),
       .text = "A range in which at least this share of the records is bad stops the pipeline "
               "and fills no dead-letter table: the table has changed, or it is the wrong "
               "topic. 1.0: only when all records are bad.",
       .example = "0.5"},
      {.path = "bad_share_min_records",
       .binding = integer<std::uint64_t>(policy.of(&Policy::bad_share_min_records), {1}),
       .text =
           "How many records of a topic in a row must be bad before bad_share_max stops the "
           "pipeline. The count goes on from one range to the next, and a good record ends it."},
  };
}

std::vector<Setting> record_settings(
    const config::Field<std::map<std::string, std::string>>& columns,
    const config::Field<record::Policy>& policy, Removals removals) {
  std::vector<std::pair<std::string, Tombstones>> tombstones{
      {"ignore", Tombstones::ignore}, {"dead_letter", Tombstones::dead_letter}};
  if (removals == Removals::by_key) tombstones.emplace_back("delete", Tombstones::remove);
  std::vector<Setting> all{
      {.path = "columns",
       .binding = text_table(columns),
       .text = "Where a column gets its value from, if not from the member of its name: a path "
               "into the JSON value (`$.a.b`) or into the key's (`@key.id`), or `@topic`, "
               "`@partition`, "
               "`@offset`, `@timestamp`, `@key`, `@value`, `@headers`. Columns that are not named "
               "here take the member of their name. "
               "[What becomes of which value](../guides/values.md).",
       .example =
           "{ id = \"$.payload.id\", at = \"@timestamp\", raw = \"@value\", src = \"@topic\" }"},
      {.path = "unknown_fields",
       .binding = choice<UnknownFields>(
           policy.of(&Policy::unknown_fields),
           {{"ignore", UnknownFields::ignore}, {"dead_letter", UnknownFields::dead_letter}}),
       .text =
           "A record with a member that has no column: `ignore` leaves the member out and counts "
           "it, `dead_letter` puts the record aside."},
      {.path = "tombstones",
       .binding = choice<Tombstones>(policy.of(&Policy::tombstones), std::move(tombstones)),
       .text =
           removals == Removals::none
               ? "A record without a value: `ignore` counts it, `dead_letter` puts it aside."
               : "A record without a value: `ignore` counts it, `dead_letter` puts it aside, "
                 "`delete` (with `write = \"upsert\"`) removes the row of its key, whose columns "
                 "then come from the record's key (`@key`, `@key.id`) or its other parts."},
  };
  for (auto&& one : bad_record_settings(policy)) all.push_back(std::move(one));
  return all;
}

}  // namespace semel
