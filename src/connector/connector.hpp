// What a connector is to the program: one value, made by the connector's door. A sink is one folder
// in connectors/ and one line in src/app/connectors.list; connectors/README.md says how.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <semel/check.hpp>
#include <semel/ledger.hpp>
#include <semel/sink.hpp>

#include "base/log.hpp"
#include "config/schema.hpp"
#include "connector/dead_letters.hpp"
#include "formats/formats.hpp"
#include "record/policy.hpp"

namespace semel {

/// More is of no use to a session that queues records.
inline constexpr std::int64_t session_memory_max = 32ll << 20;

/// What a pipeline tells a connector, beside the connector's own settings.
struct SinkContext {
  Owner owner;  ///< `id` and `description` are empty where nothing is going to be taken over
  Delivery delivery = Delivery::exactly_once;
  formats::FormatPtr format = formats::json();      ///< of the records' values
  formats::FormatPtr key_format = formats::json();  ///< of their keys, where a part is taken
  std::vector<std::string> topics{};                ///< that are known to be read
  std::string topic_pattern{};  ///< what others are found by; empty: there are no others
  int sessions = 1;             ///< that the pipeline uses at once
  /// What a session may hold of records that are on their way, where Connector::queues_records.
  std::int64_t session_memory_bytes = session_memory_max;
  Log log{};
  /// Go on from the ledger into another target than before.
  bool accept_changed_table = false;
};

/// What becomes of a row that is written where its record was written before; the worst is last.
enum class WrittenAgain : std::uint8_t {
  same,     ///< the table ends as it was: its key decides
  older,    ///< likewise, once the last record of each key is written again; until then rows are
            ///< older
  refused,  ///< it is a bad record: its key is there
  doubled,  ///< it is there twice
};

/// The functions are given the options that the section [sink.NAME] was read into: what
/// `settings.defaults` holds, with the values that were given. They may be called from any thread,
/// not at once with the same Part.
struct Connector {
  std::string name;          ///< [sink.NAME], and what its output is called
  config::Section settings;  ///< `path` is "sink.NAME"
  /// Its output is called "default", as it was when there was no other kind of sink. Ledgers know
  /// an output by its name: never taken away, and never given to a second connector.
  bool has_default_name = false;

  /// At its best, however it is configured.
  Guarantee guarantee = Guarantee::transactional;
  /// False: its sink knows where it stands for as long as it lives. Then each start is the first.
  bool keeps_ledger = true;
  /// Its records go to standard output, so that nothing else may.
  bool has_standard_output = false;

  /// Its sessions have records on their way: that is a part of their executor's memory.
  bool queues_records = false;

  /// How often at most a pipeline that has caught up makes a batch for it; null: the sink does not
  /// mind.
  std::int64_t (*interval_ms)(const config::Part& options) = nullptr;
  /// For people: "postgres table clicks".
  std::string (*target)(const config::Part& options) = nullptr;
  const record::Policy& (*policy)(const config::Part& options) = nullptr;

  /// Connects once, to fail early. Takes nothing over.
  Result<std::unique_ptr<Sink>> (*make_sink)(const config::Part& options,
                                             const SinkContext& context) = nullptr;
  /// For operators; takes nothing over. Fails with Cause::sink where there is no ledger.
  Result<std::unique_ptr<Ledger>> (*open_ledger)(const config::Part& options,
                                                 const SinkContext& context) = nullptr;
  /// Null: rows are doubled.
  Result<WrittenAgain> (*written_again)(const config::Part& options,
                                        const SinkContext& context) = nullptr;
  /// Whatever `semel run` would need, tried, and nothing changed.
  std::vector<Finding> (*check)(const config::Part& options, const SinkContext& context) = nullptr;
  /// What the records of the feed would become; writes nothing.
  Result<std::vector<SampledRecord>> (*sample)(const config::Part& options,
                                               const SinkContext& context,
                                               const RecordFeed& feed) = nullptr;
  /// What makes the tables that the records of the feed need, for people to read and run; empty:
  /// nothing does. Changes nothing. Null: the sink makes no tables.
  Result<std::string> (*table_sql)(const config::Part& options, const SinkContext& context,
                                   const RecordFeed& feed) = nullptr;
  /// For operators; null: its dead letters are its own tools' to bring back.
  Result<std::unique_ptr<DeadLetterBox>> (*open_dead_letters)(const config::Part& options,
                                                              const SinkContext& context) = nullptr;
  /// What makes the ledger by hand; no connection.
  std::string (*ddl)(const config::Part& options, const SinkContext& context) = nullptr;
};

}  // namespace semel
