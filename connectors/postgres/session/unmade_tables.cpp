// Tables that semel is to make or to widen: what records need, while they make no rows.
#include <algorithm>

#include "postgres/session/tables.hpp"
#include "postgres/table/maker.hpp"

namespace semel::postgres {

Result<Tables::Opened> Tables::add_unmade(std::size_t rule, const std::string& name) {
  auto options = rules_[rule].options;
  options.table = name;
  // What others only look at is a column here.
  options.also_known = rules_[rule].taken;
  auto shape = shape_for(options, ShapeOf::missing_table);
  if (!shape) return tl::unexpected(shape.error());
  unmade_.push_back(std::make_unique<UnmadeTable>(rule, std::move(options), *std::move(shape)));
  return named_[{rule, name}] = {nullptr, unmade_.back().get()};
}

/// What its columns would be: the table is to have them.
Fate Tables::look_at(record::Shape& shape, const TopicPartition& tp, const Record& record) {
  const auto fate = shape.add(tp, record);
  if (fate == Fate::bad) {
    bad_ = shape.bad();
    bad_.code = sqlstate_of(bad_.fault);
  }
  if (fate == Fate::unavailable) unavailable_ = shape.unavailable();
  return fate;
}

Fate Tables::look_at_unknown(OpenTable& table, const TopicPartition& tp, const Record& record) {
  if (!table.shape) {
    auto shape = shape_for(table.options, ShapeOf::table);
    if (!shape) {
      unavailable_ = shape.error();
      return Fate::unavailable;
    }
    table.shape = *std::move(shape);
  }
  const auto fate = look_at(*table.shape, tp, record);
  // For what makes no row there is no column, either.
  return fate == Fate::bad || fate == Fate::unavailable ? fate : Fate::row;
}

/// `some`: there will be rows of it.
Fate Tables::look_at_unmade(const TopicPartition& tp, const Record& record, bool& some) {
  for (auto* unmade : chosen_unmade_) {
    const auto fate = look_at(unmade->shape, tp, record);
    if (fate == Fate::bad || fate == Fate::unavailable) return fate;
    some = some || fate == Fate::row;
  }
  return Fate::row;
}

void Tables::forget_unmade() {
  for (auto& table : open_) table->shape.reset();
  if (unmade_.empty()) return;
  for (auto& said : by_said_) said.clear();
  std::erase_if(named_, [](const auto& entry) { return entry.second.unmade != nullptr; });
  unmade_.clear();
  chosen_unmade_.clear();
  knows_members_ = false;
}

std::vector<std::string> Tables::Opened::known_members() const {
  return table != nullptr ? table->encoder.known_members() : unmade->shape.known_members();
}

std::vector<std::string> Tables::Opened::known_inside() const {
  return table != nullptr ? table->encoder.known_inside() : unmade->shape.known_inside();
}

namespace {

/// What the table lacks, as far as its description tells: columns that it computes are no place for
/// a member.
std::vector<NewColumn> lacking(const OpenTable& table) {
  TableNow now{.exists = true, .columns = table.table.generated_names, .reserved = {}};
  for (const auto& column : table.table.columns) now.columns.push_back(column.name);
  return plan_making(table.options, now, table.shape->columns()).columns;
}

}  // namespace

bool Tables::lacks_columns(const OpenTable& table) const {
  if (!table.shape || table.shape->rows() == 0) return false;
  return std::ranges::any_of(lacking(table), [&](const NewColumn& column) {
    return !given_up_.contains({table.options.table, column.name});
  });
}

std::vector<Tables::ToMake> Tables::to_make() const {
  std::vector<ToMake> all;
  for (const auto& table : unmade_) {
    if (table->shape.rows() > 0) all.push_back({table->options, table->shape, false});
  }
  for (const auto& table : open_) {
    if (lacks_columns(*table)) all.push_back({table->options, *table->shape, true});
  }
  return all;
}

void Tables::made(const ToMake& table, std::span<const NewColumn> columns) {
  const auto& name = table.options.table;
  if (!table.exists) {
    std::erase_if(given_up_, [&](const auto& one) { return one.first == name; });
    return;
  }
  const auto open =
      std::ranges::find_if(open_, [&](const auto& one) { return &one->options == &table.options; });
  if (open == open_.end()) return;
  for (const auto& wanted : lacking(**open)) {
    if (std::ranges::find(columns, wanted.name, &NewColumn::name) == columns.end()) {
      given_up_.insert({name, wanted.name});
    }
  }
}

}  // namespace semel::postgres
