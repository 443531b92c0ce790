// How people write where a column's value comes from, and what is made of it on the way.
#pragma once

#include "config/setting.hpp"
#include "record/rule.hpp"

namespace semel {

/// A table of columns: `id = "$.user.id"`, or `day = { from = "$.d", unit = "days" }`.
config::Binding column_rules(const config::Field<record::ColumnRules>& field);

}  // namespace semel
