// A store as a sink: what its connector says of it, and what it gets for that.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <semel/check.hpp>
#include <semel/ledger.hpp>
#include <semel/sink.hpp>

#include "base/setting_names.hpp"
#include "config/setting.hpp"
#include "connector/connector.hpp"
#include "record/policy.hpp"
#include "record/rule.hpp"
#include "store/store.hpp"

namespace semel::store {

/// What the section of every store has beside its own settings.
struct Options {
  std::string table;  ///< that gets the rows
  record::ColumnRules columns;
  record::Policy policy;
  std::int64_t keep_commits_hours =
      std::int64_t{24} * 7;  ///< age at which rows of the history are removed; 0: never
};

/// The settings that fill them.
std::vector<config::Setting> settings(const config::Field<Options>& options);
/// A setting that has to be given, and is not empty.
config::Setting required_text(std::string path, const config::Field<std::string>& field,
                              std::string text, std::string example);

/// Once it is set, calls end soon with an error.
using Interrupt = std::shared_ptr<std::atomic<bool>>;
/// A new connection. It waits for others at most so long at once, where that is said. Thread safe.
using Open = std::function<Result<std::unique_ptr<Store>>(
    const Interrupt& stop, std::optional<std::chrono::milliseconds> patience)>;

struct Setup {
  std::string section;            ///< "sink.sqlite"
  std::string kind;               ///< what people call it, and its codes: "SQLite"; static text
  std::string place;              ///< and where it is: "file shop.db"
  std::string find_dead_letters;  ///< how to look at them
  Options options;
  std::string target{};     ///< what gets the rows, for people; empty: "table NAME"
  bool own_begins = false;  ///< a program's own transaction says that it has begun: begun()
  SettingNames names{};
  bool rows_first = false;   ///< rows are put while they are read, before a transaction begins
  bool forgets = true;       ///< Ledger::forget(): erase() also takes away what the history was
  bool replaces = false;     ///< a row takes the place of the one that has its key
  bool can_be_home = false;  ///< of what a stream's pipeline remembers: Sink::become_home()
  std::int64_t patience_ms =
      0;  ///< for which a call waits for others, where open() is told nothing
  /// Of a ledger: a program's open transaction keeps others from writing.
  bool one_writer = true;
  Open open;
  std::string (*ddl)(const Table&) = nullptr;  ///< what makes a table by hand
  SinkContext context{};
};

/// What gets the rows, for people.
inline std::string target_of(const Setup& setup) {
  return setup.target.empty() ? "table " + setup.options.table : setup.target;
}

// As the functions of a Connector.
Result<std::unique_ptr<Sink>> make_sink(Setup setup);
Result<std::unique_ptr<Ledger>> open_ledger(const Setup& setup);
Result<std::unique_ptr<DeadLetterBox>> open_dead_letters(const Setup& setup);
std::vector<Finding> check(const Setup& setup);
Result<std::vector<SampledRecord>> sample(const Setup& setup, const RecordFeed& feed);
std::string ddl(const Setup& setup);

/// A whole connector. `Own` are its options, of which `rows` are those that every store has;
/// `setup_of` makes a Setup of them. A setting of its own takes the place of the one of its name.
template <class Own, Setup (*setup_of)(const Own&)>
Connector connector(std::string name, std::vector<config::Setting> own_settings) {
  using config::Part;
  static constexpr auto with = [](const Part& part, const SinkContext& context) {
    auto setup = setup_of(part.as<Own>());
    setup.context = context;
    return setup;
  };
  config::Section section{.path = "sink." + name, .defaults = Part::of(Own{})};
  section.settings = std::move(own_settings);
  const auto own = section.settings;
  for (auto&& one : settings(&Own::rows)) {
    if (std::ranges::find(own, one.path, &config::Setting::path) != own.end()) continue;
    section.settings.push_back(std::move(one));
  }
  return {
      .name = name,
      .settings = std::move(section),
      .target =
          [](const Part& part) {
            const auto setup = with(part, {});
            return setup.section.substr(sizeof "sink." - 1) + " " + target_of(setup) + " in " +
                   setup.place;
          },
      .policy = [](const Part& part) -> const record::Policy& {
        return part.as<Own>().rows.policy;
      },
      .make_sink = [](const Part& part,
                      const SinkContext& context) { return make_sink(with(part, context)); },
      .open_ledger = [](const Part& part,
                        const SinkContext& context) { return open_ledger(with(part, context)); },
      .check = [](const Part& part,
                  const SinkContext& context) { return check(with(part, context)); },
      .sample = [](const Part& part, const SinkContext& context,
                   const RecordFeed& feed) { return sample(with(part, context), feed); },
      .open_dead_letters =
          [](const Part& part, const SinkContext& context) {
            return open_dead_letters(with(part, context));
          },
      .ddl = [](const Part& part, const SinkContext& context) { return ddl(with(part, context)); },
  };
}

}  // namespace semel::store
