// `semel check`, `semel check --sample` and `semel sql`.
#include <fmt/format.h>

#include "store/entries.hpp"
#include "store/shared.hpp"
#include "store/spool.hpp"
#include "store/take_over.hpp"

namespace semel::store {

namespace {

Interrupt never() {
  return std::make_shared<std::atomic<bool>>(false);
}

/// Where rows go into no table, nothing has a default: what is absent is nothing.
bool is_table(const Setup& setup) {
  return setup.target.empty();
}

/// What the target makes of one record that is a row.
Result<SampledRecord> sampled(Loader& loader, const Setup& setup, SampledRecord told) {
  auto put = loader.target->put(loader.reader.values(), true);
  if (!put) return tl::unexpected(put.error());
  if (put->fate == Put::Fate::refused) {
    told.fate = SampledRecord::Fate::refused;
    told.reason = put->bad->reason;
  } else if (put->fate == Put::Fate::suppressed) {
    told.fate = SampledRecord::Fate::suppressed;
  } else {
    for (std::size_t i = 0; i < put->stored.size(); ++i) {
      const auto& name = loader.reader.columns()[i].name;
      if (is_table(setup) && loader.reader.values()[i].kind == record::Kind::absent) {
        told.defaults.push_back(name);
      } else {
        told.values.emplace_back(name, std::move(put->stored[i]));
      }
    }
  }
  return told;
}

Result<void> see_ledger(Store& store, const Setup& setup, std::vector<Finding>& findings) {
  return in_transaction(store, Access::reading, [&]() -> Result<void> {
    auto there = find_ledger(store, setup.place);
    if (!there) return tl::unexpected(there.error());
    findings.push_back(
        {.ok = true,
         .what = *there ? "ledger in " + setup.place : "no ledger yet: `semel run` makes it"});
    return {};
  });
}

/// What `semel run` writes before the first row and beside one, by the same code.
Result<void> rehearse(Store& store, const Setup& setup) {
  const auto& owner = setup.context.owner;
  auto there = find_ledger(store, setup.place);
  if (!there) return tl::unexpected(there.error());
  std::string cluster_id;
  if (*there) {
    auto before = read_owner(store, owner);
    if (!before) return tl::unexpected(before.error());
    if (*before) cluster_id = (*before)->cluster_id;
  }
  auto taken = take_over(store, setup, cluster_id);
  if (!taken) return tl::unexpected(taken.error());
  const Task task{.range = {.tp = {"semel check", 0}}, .epoch = taken->epoch};
  auto entered = enter(store, setup, {.tp = task.range.tp}, taken->epoch);
  if (!entered) return tl::unexpected(entered.error());
  return add_dead_letter(store, owner, task, {}, {.reason = "semel check"});
}

}  // namespace

/// One line after the other, as far as the rest can be known.
std::vector<Finding> check(const Setup& setup) {
  const auto& table = setup.options.table;
  std::vector<Finding> findings;
  const auto good = [&](std::string what) {
    findings.push_back({.ok = true, .what = std::move(what)});
  };
  const auto bad = [&](std::string what, const Error& error) {
    findings.push_back({.what = std::move(what), .remedy = error.message, .cause = error.cause});
    return findings;
  };
  auto store = setup.open(never(), std::nullopt);
  if (!store) return bad(setup.place, store.error());
  good(setup.place);
  auto loader = Loader::make(**store, setup);
  const bool read = loader || loader.error().cause == Cause::configuration;
  if (!read) return bad(target_of(setup), loader.error());
  good(target_of(setup));
  if (!loader) return bad("columns of " + table, loader.error());
  for (std::size_t i = 0; i < loader->reader.columns().size(); ++i) {
    const auto& column = loader->target->columns()[i];
    const auto& [written, rule] =
        std::tie(loader->reader.columns()[i].written, loader->reader.columns()[i].rule);
    good(fmt::format("column {}{}{} from {}{}", is_table(setup) ? table + "." : "", column.name,
                     column.type_name.empty() ? "" : " (" + column.type_name + ")",
                     written.empty() ? "$." + column.name : written, record::told_of(rule)));
  }
  if (auto seen = see_ledger(**store, setup, findings); !seen) return bad("ledger", seen.error());
  auto written = (*store)->begin(Access::writing);
  if (written) written = rehearse(**store, setup);
  (*store)->roll_back();
  if (!written) return bad("writing", written.error());
  good("writing");
  return findings;
}

Result<std::vector<SampledRecord>> sample(const Setup& setup, const RecordFeed& feed) {
  auto store = setup.open(never(), std::nullopt);
  if (!store) return tl::unexpected(store.error());
  auto loader = Loader::make(**store, setup);
  if (!loader) return tl::unexpected(loader.error());
  // As in a session: no lock while Kafka is read.
  Spool spool;
  std::vector<TopicPartition> tps;
  Result<void> kept;
  auto fed = feed([&](const TopicPartition& tp, std::span<const Record> records) {
    tps.push_back(tp);
    for (const auto& record : records) {
      if (kept) kept = spool.add(tps.size() - 1, record);
    }
  });
  if (!fed) return tl::unexpected(fed.error());
  if (!kept) return tl::unexpected(kept.error());
  std::vector<SampledRecord> all;
  if (auto begun = (*store)->begin(Access::writing); !begun) return tl::unexpected(begun.error());
  auto seen = spool.each([&](std::size_t i, const Record& record, auto) -> Result<void> {
    SampledRecord told{.tp = tps[i], .offset = record.offset};
    const auto read = loader->reader.read(tps[i], record);
    if (read.fate == record::Fate::unavailable) return tl::unexpected(loader->reader.unavailable());
    if (read.fate == record::Fate::ignored) told.fate = SampledRecord::Fate::ignored;
    if (read.fate == record::Fate::bad) {
      told.fate = SampledRecord::Fate::refused;
      told.reason = loader->reader.bad().reason;
    }
    if (read.fate == record::Fate::row) {
      auto made = sampled(*loader, setup, std::move(told));
      if (!made) return tl::unexpected(made.error());
      told = *std::move(made);
    }
    all.push_back(std::move(told));
    return {};
  });
  (*store)->roll_back();
  if (!seen) return tl::unexpected(seen.error());
  return all;
}

std::string ddl(const Setup& setup) {
  std::string all;
  for (const auto* table : tables()) all += setup.ddl != nullptr ? setup.ddl(*table) : "";
  return all;
}

}  // namespace semel::store
