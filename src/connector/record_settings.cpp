#include "connector/record_settings.hpp"

#include <utility>

#include "connector/column_settings.hpp"

namespace semel {

using config::choice;
using config::integer;
using config::number;
using config::Setting;
using record::Names;
using record::Nul;
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

std::vector<Setting> record_settings(const config::Field<record::ColumnRules>& columns,
                                     const config::Field<record::Policy>& policy,
                                     Removals removals) {
  std::vector<std::pair<std::string, Tombstones>> tombstones{
      {"ignore", Tombstones::ignore}, {"dead_letter", Tombstones::dead_letter}};
  if (removals == Removals::by_key) tombstones.emplace_back("delete", Tombstones::remove);
  std::vector<Setting> all{
      {.path = "columns",
       .binding = column_rules(columns),
       .text =
           "Where a column gets its value from, if not from the member of its name: a path "
           "into the JSON value (`$.a.b`) or into the key's (`@key.id`), or `@topic`, "
           "`@partition`, "
           "`@offset`, `@timestamp`, `@key`, `@value`, `@headers`. Columns that are not named "
           "here take the member of their name. "
           "A table says more: several places (`from`), what a number counts (`unit`), how a "
           "text spells a date (`format`) or bytes (`encoding`), what stands in for what is not "
           "there (`default`), a constant (`value`). "
           "[What becomes of which value](../guides/values.md#rules-for-a-column).",
       .example = "{ id = \"$.payload.id\", at = \"@timestamp\", day = { from = \"$.d\", unit = "
                  "\"days\" }, shop = { value = \"s7\" } }"},
      {.path = "names",
       .binding = choice<Names>(policy.of(&Policy::names), {{"exact", Names::exact},
                                                            {"ignore_case", Names::ignore_case},
                                                            {"snake_case", Names::snake_case}}),
       .text = "How a column that `columns` gives no place finds the member of its name: "
               "`exact`, `ignore_case` (of A to Z), or `snake_case`: `orderId`, `OrderID`, "
               "`ORDER_ID` and `order-id` are `order_id`. A member that is called exactly as the "
               "column counts before the others, of those the last one."},
      {.path = "nul",
       .binding =
           choice<Nul>(policy.of(&Policy::nul), {{"dead_letter", Nul::bad}, {"strip", Nul::strip}}),
       .text = "A text with the character NUL, which PostgreSQL cannot store: `dead_letter` makes "
               "it a bad record, `strip` takes the character out. A column's rule may say it for "
               "the column alone."},
      {.path = "nan",
       .binding = choice<bool>(policy.of(&Policy::accepts_nan),
                               {{"dead_letter", false}, {"accept", true}}),
       .text = "`NaN`, `Infinity` and `-Infinity` as numbers in JSON, which has none of them: "
               "`dead_letter` makes such a record a bad one, `accept` takes them, where they are "
               "not inside of an object or array that is stored as JSON."},
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
