#include "postgres/session/tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "postgres/client/quoting.hpp"
#include "postgres/table/defaults.hpp"
#include "postgres/table/routing.hpp"

namespace semel::postgres {

namespace {

constexpr std::string_view undefined_table = "42P01";

/// Members at the top of a value that say where a record goes.
std::vector<std::string> members_asked(const Options& rule) {
  const auto mapping = record::parse_mapping(rule.route.from);
  if (!mapping) return {};
  return record::known_members(
      std::vector{record::MappedColumn{.name = "route", .mapping = *mapping}});
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

Result<std::unique_ptr<OpenTable>> open_table(Connection& connection, std::size_t rule,
                                              const Options& options, const std::string& before,
                                              Staging::Ties ties) {
  auto target = describe_target(connection, options);
  if (!target) return tl::unexpected(target.error());
  // Two rules may write one table: each by way of a temporary one of its own.
  auto& stage = target->table.stage;
  if (!stage.empty() && rule > 0) stage += fmt::format("_{}", rule);
  auto open = std::make_unique<OpenTable>(rule, options, *std::move(target), ties);
  const auto constant = open->encoder.defaults_needed(DefaultKind::constant);
  if (constant.empty()) return open;
  const auto format = open->encoder.format();
  const auto reply =
      connection.exchange(before + ";" + defaults_query(open->table, constant, format) + ";COMMIT");
  if (!reply.ok()) {
    auto error =
        to_error(reply, fmt::format("evaluating the defaults of {}",
                                    QualifiedName{open->table.schema, open->table.name}.quoted()));
    connection.roll_back();
    return tl::unexpected(std::move(error));
  }
  open->constants = read_defaults(*(reply.results.end() - 2), constant, format);
  open->encoder.set_defaults(open->constants);
  return open;
}

Tables::Tables(const Options& options) {
  for (auto& rule : table_rules(options)) {
    const bool fixed = is_fixed(rule);
    rule.also_known = members_asked(rule);
    rules_.push_back({std::move(rule), fixed, std::nullopt});
  }
  by_said_.resize(rules_.size());
  asks_for_unknown_ = rules_.size() == 1 || std::ranges::all_of(rules_, &Rule::fixed);
  if (asks_for_unknown_) return;
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
  return single() && !open_.empty() ? open_.begin()->second.get() : nullptr;
}

Result<OpenTable*> Tables::open(std::size_t rule, const std::string& table,
                                const Describe& describe) {
  const std::pair key(rule, table);
  if (const auto found = open_.find(key); found != open_.end()) return found->second.get();
  auto options = rules_[rule].options;
  options.table = table;
  auto made = describe(rule, options);
  if (!made) return tl::unexpected(made.error());
  return open_.emplace(key, *std::move(made)).first->second.get();
}

Result<void> Tables::routes_are_right() const {
  std::vector<Options> all;
  for (const auto& rule : rules_) all.push_back(rule.options);
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
  for (const auto& rule : rules_) {
    known.insert(known.end(), rule.options.also_known.begin(), rule.options.also_known.end());
  }
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    if (!rules_[i].fixed) continue;
    auto table = open(i, rules_[i].options.table, describe);
    if (!table) return tl::unexpected(table.error());
    for (auto& member : (*table)->encoder.known_members()) known.push_back(std::move(member));
  }
  for (auto& rule : rules_) rule.options.also_known = known;
  open_.clear();
  knows_members_ = true;
  return {};
}

Result<void> Tables::describe_known(std::span<const std::string> topics, const Describe& describe) {
  if (auto right = routes_are_right(); !right) return right;
  if (auto known = know_members(describe); !known) return known;
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    for (const auto& table : tables_known(rules_[i].options, topics)) {
      if (auto opened = open(i, table, describe); !opened) return tl::unexpected(opened.error());
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
    auto table = open(number, rule.options.table, describe);
    if (!table) return tl::unexpected(table.error());
    return Found{.table = *table};
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
  if (known != by_said_[number].end()) return Found{.table = known->second};
  const auto name = table_for(rule.options, said);
  if (!name) return Found{};
  if (const auto missing = missing_.find(*name); missing != missing_.end()) {
    return Found{.fate = refuse(undefined_table, missing->second)};
  }
  auto table = open(number, *name, describe);
  if (!table) {
    // What one record says is that record's fault; what a topic is called is not.
    const bool named_by_record = !by_topic && !rule.options.route.to.contains(said);
    if (!named_by_record || table.error().kind != ErrorKind::fatal) {
      return tl::unexpected(table.error());
    }
    missing_[*name] = table.error().message;
    return Found{.fate = refuse(undefined_table, table.error().message)};
  }
  // A bound for what records may say.
  constexpr std::size_t said_max = 10'000;
  if (by_said_[number].size() >= said_max) by_said_[number].clear();
  by_said_[number][said] = *table;
  return Found{.table = *table};
}

Result<Fate> Tables::choose(const TopicPartition& tp, const Record& record,
                            const Describe& describe) {
  chosen_.clear();
  bool ignored = false;
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const auto found = find(i, tp, record, describe);
    if (!found) return tl::unexpected(found.error());
    if (found->fate == Fate::bad || found->fate == Fate::unavailable) return found->fate;
    ignored = ignored || found->fate == Fate::ignored;
    if (found->table != nullptr) chosen_.push_back(found->table);
  }
  if (!chosen_.empty()) return Fate::row;
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
    if (encoded.unknown_fields != 0 && asks_for_unknown_) {
      unknown_fields_ = std::max(unknown_fields_, encoded.unknown_fields);
      unknown_field_ = table.encoder.unknown_field();
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
    if (const auto fate = encode_for(*table, tp, record, out); fate != Fate::row) {
      out.resize(began);
      return give_back(fate);
    }
  }
  return rows_.empty() ? Fate::ignored : Fate::row;
}

std::vector<std::unique_ptr<OpenTable>> Tables::take() {
  std::vector<std::unique_ptr<OpenTable>> all;
  for (auto& [key, table] : open_) all.push_back(std::move(table));
  open_.clear();
  for (auto& said : by_said_) said.clear();
  chosen_.clear();
  return all;
}

void Tables::forget(std::span<OpenTable* const> tables) {
  for (auto& said : by_said_) said.clear();
  std::erase_if(open_, [&](const auto& entry) {
    return std::ranges::find(tables, entry.second.get()) != tables.end();
  });
  chosen_.clear();
}

}  // namespace semel::postgres
