#include "postgres/session/tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "postgres/client/quoting.hpp"
#include "postgres/client/sqlstate.hpp"
#include "postgres/encode/column_plan.hpp"
#include "postgres/session/rehearsal.hpp"
#include "postgres/table/defaults.hpp"
#include "postgres/table/guard.hpp"
#include "postgres/table/maker.hpp"
#include "postgres/table/routing.hpp"

namespace semel::postgres {

namespace {

constexpr std::string_view undefined_table = "42P01";

std::string name_of(const Table& table) {
  return QualifiedName{table.schema, table.name}.quoted();
}

/// Whether it is of a ledger, this pipeline's or another's, whatever it is called: their tables
/// begin with whose the row is.
bool is_of_a_ledger(const Table& table) {
  const auto* pipeline = table.column("pipeline");
  const auto* output = table.column("output");
  return pipeline != nullptr && output != nullptr && pipeline->number == 1 && output->number == 2;
}

/// Members at the top of a value in which these places are.
std::vector<std::string> members_asked(const std::vector<std::string>& places) {
  std::vector<record::MappedColumn> asked;
  for (const auto& from : places) {
    const auto mapping = record::parse_mapping(from);
    if (mapping) asked.push_back({.name = "asked", .mapping = *mapping});
  }
  return record::known_members(asked);
}

}  // namespace

OpenTable::OpenTable(std::size_t of_rule, Options with, Target target, Staging::Ties ties)
    : rule(of_rule),
      options(std::move(with)),
      table(std::move(target.table)),
      encoder(std::move(target.encoder)) {
  if (!table.stage.empty()) staging.emplace(table, options, ties);
  stable = encoder.defaults_needed(DefaultKind::stable);
}

namespace {

Result<void> evaluate_constants(Connection& connection, const Shared& shared, OpenTable& open) {
  const auto constant = open.encoder.defaults_needed(DefaultKind::constant);
  if (constant.empty()) return {};
  const auto format = open.encoder.format();
  const auto reply = connection.exchange(begin_message(shared) + ";" +
                                         defaults_query(open.table, constant, format) + ";COMMIT");
  if (!reply.ok()) {
    auto error = to_error(reply, "evaluating the defaults of " + name_of(open.table));
    connection.roll_back();
    return tl::unexpected(std::move(error));
  }
  open.constants = read_defaults(*(reply.results.end() - 2), constant, format);
  open.encoder.set_defaults(open.constants);
  return {};
}

/// What the configuration has for all records, as the server reads it where only that can: an
/// enum's label, a domain's constraint.
Result<void> constants_are_right(Connection& connection, const Shared& shared,
                                 const OpenTable& open) {
  constexpr std::array<Oid, 3> made_here{17, 114, 3802};  // bytea, json, jsonb
  for (const auto& [name, rule] : open.options.columns) {
    const auto* column = open.table.column(name);
    for (const auto* constant : {&rule.constant, &rule.if_absent}) {
      if (column == nullptr || !*constant || (*constant)->kind != record::Kind::string) continue;
      const auto& type = column->type;
      if (type.kind == 'a' || type.kind == 'c' ||
          std::ranges::find(made_here, type.base) != made_here.end())
        continue;
      const auto wrong = [&](const std::string& why) {
        return fail(ErrorKind::fatal, Cause::configuration,
                    fmt::format("{}, column \"{}\" ({}): {}: {}", encode::columns_setting, name,
                                column->type_name, (*constant)->written(), why));
      };
      if ((*constant)->text.find('\0') != std::string::npos) {
        return wrong("it holds a NUL character, which PostgreSQL cannot store");
      }
      const auto reply = connection.exchange(
          begin_message(shared) + fmt::format(";SELECT CAST({} AS {})",
                                              quote_literal((*constant)->text), column->type_name));
      connection.roll_back();
      if (reply.ok()) continue;
      if (reply.lost || !reply.error || meaning_of(*reply.error) != Meaning::data) {
        return tl::unexpected(to_error(reply, "reading a constant of " + name_of(open.table)));
      }
      return wrong(reply.error->text());
    }
  }
  return {};
}

/// Whether the server would refuse any row, so that no row is asked to prove it.
Result<void> takes_rows(Connection& connection, const Shared& shared, const OpenTable& open) {
  Rehearsal rehearsal(connection, shared);
  auto reply = rehearsal.begin();
  if (reply.ok()) reply = rehearsal.write_rows(open);
  // Whoever holds a lock lets it go some day.
  if (reply.ok() || (reply.error && reply.error->sqlstate == lock_not_available)) return {};
  auto error = to_error(reply, "writing into " + name_of(open.table));
  if (error.kind == ErrorKind::bad_data) error.kind = ErrorKind::fatal;
  return tl::unexpected(std::move(error));
}

Result<void> get_ready(Connection& connection, const Shared& shared, OpenTable& open,
                       bool by_record) {
  if (auto done = evaluate_constants(connection, shared, open); !done) return done;
  if (auto right = constants_are_right(connection, shared, open); !right) return right;
  return by_record ? takes_rows(connection, shared, open) : Result<void>{};
}

}  // namespace

Result<std::unique_ptr<OpenTable>> open_table(Connection& connection, const Shared& shared,
                                              const Tables::Wanted& wanted, Staging::Ties ties) {
  if (wanted.options.makes() && !wanted.by_record) {
    const auto now = table_now(connection, wanted.options);
    if (!now) return tl::unexpected(now.error());
    if (is_to_be_made(wanted.options, *now)) return nullptr;
  }
  auto target = describe_target(connection, wanted.options);
  if (!target) return tl::unexpected(target.error());
  // Two rules may write one table: each by way of a temporary one of its own.
  auto& stage = target->table.stage;
  if (!stage.empty() && wanted.rule > 0) stage += fmt::format("_{}", wanted.rule);
  auto open = std::make_unique<OpenTable>(wanted.rule, wanted.options, *std::move(target), ties);
  if (auto ready = get_ready(connection, shared, *open, wanted.by_record); !ready) {
    return tl::unexpected(unless_changed(connection, open->table, std::move(ready.error())));
  }
  return open;
}

Tables::Tables(const Options& options) {
  for (auto& rule : table_rules(options)) {
    const bool fixed = is_fixed(rule);
    rule.also_known = members_asked({rule.route.from, rule.policy.removes_from});
    auto taken = rule.also_known;
    rules_.push_back({std::move(rule), fixed, std::nullopt, std::move(taken)});
  }
  // An array whose elements are rows of one table is no column of another.
  for (const auto& rule : rules_) {
    const auto arrays = members_asked({rule.options.path});
    for (auto& other : rules_) {
      for (auto* known : {&other.taken, &other.options.also_known}) {
        known->insert(known->end(), arrays.begin(), arrays.end());
      }
    }
  }
  by_said_.resize(rules_.size());
  asks_for_unknown_ = rules_.size() == 1 || std::ranges::all_of(rules_, &Rule::fixed);
  // What gets a column is not unknown for long.
  const bool widens = options.evolve == Evolve::add;
  if (asks_for_unknown_ && !widens) return;
  for (auto& rule : rules_) rule.options.policy.unknown_fields = record::UnknownFields::ignore;
}

std::string Tables::name() const {
  if (single()) return split_name(rules_.front().options.table).quoted();
  std::string name;
  for (const auto& rule : rules_) {
    name += (name.empty() ? "" : "; ") + name_of_rule(rule.options);
  }
  return name;
}

OpenTable* Tables::only() const {
  return single() && !open_.empty() ? open_.front().get() : nullptr;
}

Result<Tables::Opened> Tables::add(std::size_t rule, const std::string& name,
                                   std::unique_ptr<OpenTable> made) {
  if (!rules_[rule].fixed && is_of_a_ledger(made->table)) {
    return fail(ErrorKind::fatal, Cause::configuration,
                fmt::format("{} is a table of a ledger: no rows go there", name_of(made->table)));
  }
  for (const auto& other : open_) {
    if (other->table.oid != made->table.oid) continue;
    if (other->rule == rule) return named_[{rule, name}] = {other.get(), nullptr};
    if (!other->options.merges() && !made->options.merges()) continue;
    return fail(ErrorKind::fatal, Cause::configuration,
                fmt::format("{} is written by two of {}, and one of them goes by its key: which "
                            "record of a key is the last would not be known. Let one of them write "
                            "it",
                            name_of(made->table), made->options.names("sink.postgres.tables")));
  }
  open_.push_back(std::move(made));
  return named_[{rule, name}] = {open_.back().get(), nullptr};
}

Result<Tables::Opened> Tables::open(std::size_t rule, const std::string& table, bool by_record,
                                    const Describe& describe) {
  if (const auto found = named_.find({rule, table}); found != named_.end()) return found->second;
  auto options = rules_[rule].options;
  options.table = table;
  auto made = describe({rule, options, by_record});
  if (!made) return tl::unexpected(made.error());
  if (*made == nullptr) return add_unmade(rule, table);
  return add(rule, table, *std::move(made));
}

/// The same, where a name that a record chose may be none: null, and missing_ says why.
Result<Tables::Opened> Tables::open_for(std::size_t rule, const std::string& table, bool by_record,
                                        const Describe& describe) {
  auto opened = open(rule, table, by_record, describe);
  if (opened || !by_record) return opened;
  const auto kind = opened.error().kind;
  if (kind != ErrorKind::fatal && kind != ErrorKind::bad_data) return opened;
  constexpr std::size_t missing_max = 10'000;
  if (missing_.size() >= missing_max) missing_.clear();
  missing_[table] = opened.error().message;
  return Opened{};
}

Result<void> Tables::describe_named(std::size_t rule, const std::string& table,
                                    const Describe& describe) {
  auto opened = open_for(rule, table, true, describe);
  return opened ? Result<void>{} : tl::unexpected(opened.error());
}

Result<void> Tables::routes_are_right() const {
  std::vector<Options> all;
  for (const auto& rule : rules_) all.push_back(rule.options);
  if (all.front().makes() && all.front().delivery == Delivery::at_most_once) {
    return fail(ErrorKind::fatal, Cause::configuration,
                "tables are made of records that are read a second time then: create and evolve "
                "do not go with delivery = \"at_most_once\"");
  }
  const auto mistake = routing_mistake(all);
  if (!mistake) return {};
  const auto names = all.front().names;
  const auto alone =
      mistake->setting == "route" ? names("sink.postgres.route") : names("sink.postgres.table");
  const auto where = rules_.size() == 1 ? alone
                                        : fmt::format("{}[{}]: {}", names("sink.postgres.tables"),
                                                      mistake->rule + 1, mistake->setting);
  return fail(ErrorKind::fatal, Cause::configuration, fmt::format("{} {}", where, mistake->text));
}

/// A member that another table has a column for is not unknown. Where the name of one of the tables
/// depends on the record, nobody knows, and nothing is called unknown.
Result<void> Tables::know_members(const Describe& describe) {
  if (rules_.size() < 2 || knows_members_) return {};
  std::vector<std::string> known;
  std::map<std::string, std::vector<std::string>> inside;  // by path
  for (const auto& rule : rules_) {
    known.insert(known.end(), rule.options.also_known.begin(), rule.options.also_known.end());
  }
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    if (!rules_[i].fixed) continue;
    auto opened = open(i, rules_[i].options.table, false, describe);
    if (!opened) return tl::unexpected(opened.error());
    for (auto& member : opened->known_members()) known.push_back(std::move(member));
    for (auto& member : opened->known_inside()) {
      inside[rules_[i].options.path].push_back(std::move(member));
    }
  }
  for (auto& rule : rules_) {
    rule.options.also_known = known;
    rule.options.also_known_inside = inside[rule.options.path];
  }
  open_.clear();
  unmade_.clear();
  named_.clear();
  knows_members_ = true;
  return {};
}

Result<void> Tables::describe_known(std::span<const std::string> topics, const Describe& describe) {
  if (auto right = routes_are_right(); !right) return right;
  if (auto known = know_members(describe); !known) return known;
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    for (const auto& table : tables_known(rules_[i].options, topics)) {
      if (auto opened = open(i, table, false, describe); !opened) {
        return tl::unexpected(opened.error());
      }
    }
  }
  return {};
}

Fate Tables::refuse(std::string_view code, std::string reason) {
  bad_ = {.fault = record::Fault::refused, .code = std::string(code), .reason = std::move(reason)};
  return Fate::bad;
}

Result<Tables::Found> Tables::find(std::size_t number, const TopicPartition& tp,
                                   const Record& record, const Describe& describe) {
  auto& rule = rules_[number];
  if (rule.fixed) {
    const auto opened = open(number, rule.options.table, false, describe);
    if (!opened) return tl::unexpected(opened.error());
    return Found{.table = opened->table, .unmade = opened->unmade};
  }
  std::string said = tp.topic;
  const bool by_topic = rule.options.route.by_topic();
  if (!by_topic) {
    if (!rule.route) {
      auto made = record::RouteReader::make(rule.options.route.from, *rule.options.format,
                                            rule.options.key_format.get(),
                                            rule.options.names("sink.postgres.route"));
      if (!made) return tl::unexpected(made.error());
      rule.route = *std::move(made);
    }
    const auto read = rule.route->read(tp, record);
    if (read.fate == Fate::bad) {
      bad_ = rule.route->bad();
      bad_.code = "22P02";
      return Found{.fate = Fate::bad};
    }
    if (read.fate == Fate::unavailable) {
      unavailable_ = rule.route->unavailable();
      return Found{.fate = Fate::unavailable};
    }
    if (!read.value) {
      if (!record.value && rule.options.policy.tombstones == record::Tombstones::ignore) {
        return Found{.fate = Fate::ignored};
      }
      return Found{};
    }
    said = *read.value;
  }
  const auto known = by_said_[number].find(said);
  if (known != by_said_[number].end()) {
    return Found{.table = known->second.table, .unmade = known->second.unmade};
  }
  const auto name = table_for(rule.options, said);
  if (!name) return Found{};
  if (const auto missing = missing_.find(*name); missing != missing_.end()) {
    return Found{.fate = refuse(undefined_table, missing->second)};
  }
  // What one record says is that record's fault; what a topic is called is not.
  const bool by_record = !by_topic && !rule.options.route.to.contains(said);
  const auto opened = open_for(number, *name, by_record, describe);
  if (!opened) return tl::unexpected(opened.error());
  if (opened->is_none()) return Found{.fate = refuse(undefined_table, missing_[*name])};
  // A bound for what records may say.
  constexpr std::size_t said_max = 10'000;
  if (by_said_[number].size() >= said_max) by_said_[number].clear();
  by_said_[number][said] = *opened;
  return Found{.table = opened->table, .unmade = opened->unmade};
}

Result<Fate> Tables::choose(const TopicPartition& tp, const Record& record,
                            const Describe& describe) {
  chosen_.clear();
  chosen_unmade_.clear();
  bool ignored = false;
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const auto found = find(i, tp, record, describe);
    if (!found) return tl::unexpected(found.error());
    if (found->fate == Fate::bad || found->fate == Fate::unavailable) return found->fate;
    ignored = ignored || found->fate == Fate::ignored;
    if (found->table != nullptr) chosen_.push_back(found->table);
    if (found->unmade != nullptr) chosen_unmade_.push_back(found->unmade);
  }
  if (!chosen_.empty() || !chosen_unmade_.empty()) return Fate::row;
  if (ignored) return Fate::ignored;
  if (rules_.size() == 1 && rules_.front().options.route.by_topic()) {
    return fail(ErrorKind::fatal, Cause::configuration,
                fmt::format("no table for topic {}: neither {} nor {} names one", tp.topic,
                            rules_.front().options.names("sink.postgres.table"),
                            rules_.front().options.names("sink.postgres.routes")));
  }
  return refuse(undefined_table, fmt::format("no table takes it: {}", name()));
}

Fate Tables::give_back(Fate fate) {
  for (auto began = began_at_.rbegin(); began != began_at_.rend(); ++began) {
    began->first->resize(began->second);
  }
  rows_.clear();
  return fate;
}

Fate Tables::encode_for(OpenTable& table, const TopicPartition& tp, const Record& record,
                        std::string& out) {
  if (rules_.size() > 1) began_at_.emplace_back(&out, out.size());
  auto begin = out.size();
  auto encoded = table.encoder.encode(tp, record, out);
  std::optional<Encoded> next;
  while (true) {
    if (encoded.unknown_fields != 0) [[unlikely]] {
      unknown_here_ = true;
      if (asks_for_unknown_) {
        unknown_fields_ = std::max(unknown_fields_, encoded.unknown_fields);
        unknown_field_ = table.encoder.unknown_field();
      }
    }
    if (encoded.status == Fate::bad) {
      bad_ = table.encoder.bad();
      return Fate::bad;
    }
    if (encoded.status == Fate::unavailable) {
      unavailable_ = table.encoder.unavailable();
      return Fate::unavailable;
    }
    if (encoded.status == Fate::row) {
      removes_ = removes_ || encoded.removal;
      rows_.push_back({&table, encoded.column_set, begin, out.size()});
    }
    begin = out.size();
    next = table.encoder.encode_next(out);
    if (!next) return Fate::row;
    encoded = *next;
  }
}

Fate Tables::encode(const TopicPartition& tp, const Record& record, std::string* into) {
  rows_.clear();
  began_at_.clear();
  unknown_fields_ = 0;
  unknown_field_ = {};
  removes_ = false;
  for (auto* table : chosen_) {
    auto& out = into != nullptr ? *into : table->rows.buffer();
    const auto began = out.size();
    unknown_here_ = false;
    auto fate = encode_for(*table, tp, record, out);
    if (unknown_here_ && fate == Fate::row && table->options.evolve == Evolve::add) [[unlikely]] {
      fate = look_at_unknown(*table, tp, record);
    }
    if (fate != Fate::row) {
      out.resize(began);
      return give_back(fate);
    }
  }
  bool some = !rows_.empty();
  if (!chosen_unmade_.empty()) [[unlikely]] {
    const auto fate = look_at_unmade(tp, record, some);
    if (fate != Fate::row) return give_back(fate);
  }
  return some ? Fate::row : Fate::ignored;
}

std::vector<std::unique_ptr<OpenTable>> Tables::take() {
  std::vector<std::unique_ptr<OpenTable>> all;
  all.swap(open_);
  named_.clear();
  for (auto& said : by_said_) said.clear();
  chosen_.clear();
  return all;
}

void Tables::forget(std::span<OpenTable* const> tables) {
  for (auto& said : by_said_) said.clear();
  const auto gone = [&](const OpenTable* table) {
    return std::ranges::find(tables, table) != tables.end();
  };
  std::erase_if(named_, [&](const auto& entry) { return gone(entry.second.table); });
  std::erase_if(open_, [&](const auto& table) { return gone(table.get()); });
  chosen_.clear();
  // Its members may be others by now, and each member is to have one column.
  if (rules_.front().options.makes()) knows_members_ = false;
}

}  // namespace semel::postgres
