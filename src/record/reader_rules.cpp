// What the reader makes of values by their columns' rules, once the record has been read.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "record/reader.hpp"
#include "record/spell.hpp"

namespace semel::record {
namespace {

bool is_empty_text(const Value& value) {
  return (value.kind == Kind::string || value.kind == Kind::bytes) && value.text.empty();
}

/// Whether the policy for NULs is of any use there.
bool minds_nul(Holds holds) {
  return holds != Holds::bytes && holds != Holds::number;
}

}  // namespace

Result<void> Reader::add_rule(std::uint32_t slot, const Format& format, const Format* keys) {
  const ColumnRule rule = columns_[slot].rule;
  const auto holds = columns_[slot].holds;
  Ruled ruled{.slot = slot};
  ruled.strips_nul = minds_nul(holds) && rule.nul.value_or(policy_.nul) == Nul::strip;
  const auto others = columns_[slot].others;
  for (const auto& other : others) {
    const auto at = static_cast<std::uint32_t>(columns_.size());
    columns_.push_back({.name = columns_[slot].name,
                        .holds = holds,
                        .mapping = other,
                        .written = columns_[slot].written});
    if (auto bound = bind(at, format, keys); !bound) return bound;
    ruled.others.push_back(at);
  }
  const bool by_name = rule.from.empty() && !rule.constant;
  if (by_name && policy_.names != Names::exact && format.has_members()) {
    ruled.like = static_cast<std::uint32_t>(columns_.size());
    if (auto bound = bind_like(slot); !bound) return bound;
  }
  if (rule.converts()) {
    auto conversion = Conversion::make(rule, holds);
    if (!conversion) return tl::unexpected(conversion.error());
    ruled.conversion = *std::move(conversion);
  }
  const bool has_rule = ruled.strips_nul || ruled.like || !(rule.is_path() || rule == ColumnRule());
  if (has_rule) ruled_.push_back(std::move(ruled));
  return {};
}

Result<void> Reader::bind_like(std::uint32_t slot) {
  const auto key = folded(columns_[slot].name, policy_.names);
  for (std::uint32_t i = 0; i < count_; ++i) {
    const bool by_name = columns_[i].rule.from.empty() && !columns_[i].rule.constant;
    if (i == slot || !by_name || folded(columns_[i].name, policy_.names) != key) continue;
    return fail(ErrorKind::fatal, Cause::configuration,
                fmt::format("names = \"{}\": columns \"{}\" and \"{}\" would come from the same "
                            "members. Map one of them in {}",
                            name_of(policy_.names), columns_[std::min(i, slot)].name,
                            columns_[std::max(i, slot)].name, setting_));
  }
  const auto at = static_cast<std::uint32_t>(columns_.size());
  columns_.push_back({.name = columns_[slot].name, .holds = columns_[slot].holds});
  path_columns_.push_back(at);
  return decoder_->bind_like(columns_[slot].name, policy_.names, at);
}

bool Reader::follow_rules(bool removal) {
  for (Ruled& ruled : ruled_) {
    // Of a row that goes, only the key counts.
    if (removal && !columns_[ruled.slot].of_key) continue;
    if (!follow(ruled)) return false;
  }
  return true;
}

/// Which of its places the value comes from: the first one that has any.
void Reader::choose(Ruled& ruled) {
  Value& value = values_[ruled.slot];
  const ColumnRule& rule = columns_[ruled.slot].rule;
  // The member of the column's very name counts before others that are called nearly so.
  if (ruled.like && value.kind == Kind::absent) value = values_[*ruled.like];
  const auto nothing = [&](Value& one) {
    if (ruled.strips_nul) strip_nul(one, ruled.stripped);
    if (rule.empty_is_null && is_empty_text(one)) one = {.kind = Kind::null};
    return one.kind == Kind::absent || one.kind == Kind::null;
  };
  bool is_nothing = nothing(value);
  bool is_null = value.kind == Kind::null;
  for (const auto other : ruled.others) {
    if (!is_nothing) return;
    value = values_[other];
    is_nothing = nothing(value);
    is_null = is_null || value.kind == Kind::null;
  }
  if (is_nothing) value = {.kind = is_null && !rule.null_is_absent ? Kind::null : Kind::absent};
}

bool Reader::follow(Ruled& ruled) {
  Value& value = values_[ruled.slot];
  const MappedColumn& column = columns_[ruled.slot];
  if (column.rule.constant) {
    value = column.rule.constant->value();
    return true;
  }
  choose(ruled);
  if (value.kind == Kind::absent) {
    if (column.rule.if_absent) value = column.rule.if_absent->value();
    return true;
  }
  if (value.kind == Kind::null || !ruled.conversion) return true;
  const Value before = value;
  if (ruled.conversion->apply(value, ruled.converted)) {
    if (ruled.strips_nul) strip_nul(value, ruled.again);
    return true;
  }
  const auto of = column.type_name.empty() ? "" : fmt::format(" ({})", column.type_name);
  const auto& why = ruled.conversion->why();
  refuse(Fault::unfit, fmt::format("column \"{}\"{}: {} {}", column.name, of,
                                   shown(spell(before, ruled.again)), why));
  bad_.column = column.name;
  bad_.told = fmt::format("column \"{}\"{}: its value {}", column.name, of, why);
  return false;
}

}  // namespace semel::record
