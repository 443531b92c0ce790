// Where everything takes place: servers, topic, schema, and the files that processes are started
// with. Removes again what it made.
#pragma once

#include <fmt/format.h>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <semel/error.hpp>

#include "app/pipeline_config.hpp"
#include "bench/semel/child_process.hpp"
#include "bench/semel/database.hpp"
#include "bench/semel/kind.hpp"
#include "bench/semel/measured_sink.hpp"
#include "bench/semel/own_servers.hpp"
#include "bench/semel/setup.hpp"
#include "bench/semel/work_directory.hpp"
#include "http/address.hpp"

namespace semel::bench {

/// What one run needs.
struct Scene {
  Kind kind = Kind::semel;
  std::string name;     ///< "direct_calm": of the table, the pipeline and the group
  std::string table;    ///< as SQL
  std::string bare;     ///< the table's name in the schema
  std::string watch;    ///< the query for Seen
  std::string metrics;  ///< files begin so: see metrics_file()
  std::string config;   ///< file: a pipeline's configuration, or a baseline's Spec
  std::string log;      ///< file
  /// Of `semel run`, after its FILE.
  std::vector<std::string> arguments{"--once"};

  /// What to start for the nth time, from 1, and where it answers.
  Command command(int start, const http::Address& address) const;
  /// Which the nth process writes at its end.
  std::string metrics_file(int start) const { return fmt::format("{}.{}", metrics, start); }
};

class Venue {
 public:
  /// Starts what has to be started, makes topic and schema. `interrupted` is asked in long work.
  static Result<std::unique_ptr<Venue>> set_up(const Setup& setup, WorkDirectory& directory,
                                               const std::function<bool()>& interrupted);
  /// Removes topic and schema unless they are to be kept; ends the servers.
  ~Venue();

  /// Fills the topic. `progress` is told the number of records so far.
  Result<void> produce(const std::function<void(std::int64_t)>& progress);

  Result<Scene> prepare(Kind kind, const std::string& suffix);
  /// Drops its table, unless it is to be kept.
  void clear(const Scene& scene);

  Database& database() { return *database_; }
  std::int64_t transaction_records() const {
    return config_.pipeline.limits.max_records_per_partition;
  }
  const std::string& topic() const { return topic_; }
  const kafka::Options& kafka() const { return config_.pipeline.kafka; }
  const std::string& dsn() const { return measured_sink(config_).dsn; }
  bool own_broker() const { return broker_.has_value(); }
  bool own_database() const { return postgres_.has_value(); }

 private:
  Venue(Setup setup, WorkDirectory& directory, std::function<bool()> interrupted)
      : setup_(std::move(setup)), directory_(directory), interrupted_(std::move(interrupted)) {}
  Result<void> configure();
  Result<void> make_schema();
  Result<void> make_topic();
  std::string pipeline_toml(const Scene& scene) const;

  Setup setup_;
  WorkDirectory& directory_;
  std::function<bool()> interrupted_;
  std::string topic_;
  std::optional<OwnServer> broker_;
  std::optional<OwnServer> postgres_;
  app::PipelineConfig config_;
  std::unique_ptr<Database> database_;
  bool topic_made_ = false;
  bool schema_made_ = false;
};

/// The schema of everything that the bench makes in a database.
constexpr auto bench_schema = "semel_bench";

}  // namespace semel::bench
