#include "bench/semel/venue.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "bench/data/topic_writer.hpp"
#include "bench/semel/baselines/spec.hpp"
#include "bench/semel/clock.hpp"
#include "bench/semel/pipeline_file.hpp"
#include "bench/semel/workload.hpp"
#include "config/value.hpp"
#include "kafka/planner_client.hpp"
#include "postgres/postgres.hpp"

namespace semel::bench {

namespace {

constexpr int kafka_timeout_ms = 30'000;
constexpr int patience_ms = 10'000;  // with a broker that does not answer at all

tl::unexpected<Error> interruption() {
  return fail(ErrorKind::fatal, Cause::internal, "interrupted");
}

/// Readable by this user only: it may hold passwords.
Result<void> write_private(const std::string& path, const std::string& content) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const auto wanted = static_cast<ssize_t>(content.size());
  const bool done = file >= 0 && ::write(file, content.data(), content.size()) == wanted;
  if (file >= 0) ::close(file);
  if (done) return {};
  return fail(ErrorKind::fatal, Cause::configuration, "cannot write " + path);
}

/// A name that nobody else uses: of the topic, for a start.
std::string unique_id() {
  return fmt::format("{:x}_{:x}", monotonic_ns() / 1'000'000, ::getpid());
}

}  // namespace

Command Scene::command(int start, const http::Address& address) const {
  std::vector<std::string> argv{"/proc/self/exe"};
  if (kind == Kind::semel) {
    argv.insert(argv.end(), {"run", config});
    argv.insert(argv.end(), arguments.begin(), arguments.end());
  } else {
    argv.insert(argv.end(), {"bench", "baseline", config, std::to_string(start)});
  }
  argv.insert(argv.end(),
              {"--http", http::to_string(address), "--metrics-file", metrics_file(start)});
  return {.argv = std::move(argv), .log = log, .directory = {}, .as = {}};
}

Result<std::unique_ptr<Venue>> Venue::set_up(const Setup& setup, WorkDirectory& directory,
                                             const std::function<bool()>& interrupted) {
  std::unique_ptr<Venue> venue(new Venue(setup, directory, interrupted));
  venue->topic_ = "semel_bench_" + unique_id();
  if (setup.own_database()) {
    auto started = start_postgres(directory);
    if (!started) return tl::unexpected(started.error());
    venue->postgres_ = *std::move(started);
  }
  if (interrupted()) return interruption();
  if (setup.own_broker()) {
    auto started = start_broker(directory, venue->topic_, setup.partitions);
    if (!started) return tl::unexpected(started.error());
    venue->broker_ = *std::move(started);
  }
  if (auto done = venue->configure(); !done) return tl::unexpected(done.error());
  if (auto done = venue->make_schema(); !done) return tl::unexpected(done.error());
  if (auto done = venue->make_topic(); !done) return tl::unexpected(done.error());
  return venue;
}

Venue::~Venue() {
  if (setup_.keep) return;
  // What cannot be tidied up now is left: there is nobody to tell it to.
  if (topic_made_) {
    if (auto writer = kafka::TopicWriter::connect(config_.pipeline.kafka, "semel-bench")) {
      std::ignore = (*writer)->remove(topic_);
    }
  }
  if (schema_made_ && !postgres_) {
    std::ignore = database_->execute(fmt::format("DROP SCHEMA {} CASCADE", bench_schema));
  }
}

Result<void> Venue::configure() {
  Result<app::PipelineConfig> loaded;
  if (!setup_.file.empty()) {
    loaded = app::load(setup_.file, setup_.sets);
  } else {
    const auto text = fmt::format(
        "name = \"semel_bench\"\nsource.kafka.brokers = {}\nsource.kafka.topics = [\"{}\"]\n"
        "sink.postgres.dsn = \"-\"\nsink.postgres.table = \"-\"\n",
        config::quoted(broker_ ? broker_->address : setup_.brokers), topic_);
    loaded = app::parse(text, "semel bench", setup_.sets);
  }
  if (!loaded) return tl::unexpected(loaded.error());
  config_ = *std::move(loaded);
  std::erase_if(config_.sinks, [](const auto& sink) { return sink.connector != "postgres"; });
  if (config_.sinks.empty()) {
    return fail(ErrorKind::fatal, Cause::configuration,
                "semel bench measures PostgreSQL, and " + setup_.file + " has no [sink.postgres]");
  }
  if (setup_.file.empty()) measured_sink(config_).dsn = postgres_ ? postgres_->address : setup_.dsn;

  auto& pipeline = config_.pipeline;
  pipeline.kafka.log = setup_.log;
  auto& sink = measured_sink(config_);
  auto& limits = pipeline.limits;
  if (setup_.transaction_records > 0) {
    limits.max_records_per_partition =
        std::min(limits.max_records_per_partition, setup_.transaction_records);
    limits.min_records_per_partition =
        std::min(limits.min_records_per_partition, limits.max_records_per_partition);
  }
  pipeline.kafka.topics = {topic_};
  pipeline.kafka.topic_pattern.clear();
  pipeline.kafka.start = kafka::StartEarliest{};
  pipeline.kafka.group_id.clear();
  sink.columns.clear();
  sink.delivery = postgres::Delivery::exactly_once;
  sink.ledger_schema = bench_schema;
  sink.create_ledger = true;
  return {};
}

Result<void> Venue::make_schema() {
  auto database = Database::connect(measured_sink(config_).dsn);
  if (!database) return tl::unexpected(database.error());
  database_ = *std::move(database);
  const auto exists = database_->value(
      fmt::format("SELECT 1 FROM pg_namespace WHERE nspname = '{}'", bench_schema));
  if (!exists) return tl::unexpected(exists.error());
  if (*exists) {
    return fail(ErrorKind::fatal, Cause::sink,
                fmt::format("the database has a schema {0} already: another bench is running, or "
                            "one was kept or killed. To remove it: DROP SCHEMA {0} CASCADE",
                            bench_schema));
  }
  if (auto made = database_->execute(fmt::format("CREATE SCHEMA {}", bench_schema)); !made) {
    return made;
  }
  schema_made_ = true;
  return database_->execute(postgres::ledger_ddl(measured_sink(config_)));
}

Result<void> Venue::make_topic() {
  // Whether anybody answers is known sooner from a question than from a topic that is not made.
  auto client = kafka::PlannerClient::connect(config_.pipeline.kafka, "semel-bench");
  if (!client) return tl::unexpected(client.error());
  if (auto id = (*client)->cluster_id(patience_ms); !id) return tl::unexpected(id.error());
  auto writer = kafka::TopicWriter::connect(config_.pipeline.kafka, "semel-bench");
  if (!writer) return tl::unexpected(writer.error());
  if (broker_) return (*writer)->wait_for_leaders(topic_, setup_.partitions);
  auto made = (*writer)->create(topic_, setup_.partitions);
  topic_made_ = made.has_value();
  return made;
}

Result<void> Venue::produce(const std::function<void(std::int64_t)>& progress) {
  auto writer = kafka::TopicWriter::connect(config_.pipeline.kafka, "semel-bench");
  if (!writer) return tl::unexpected(writer.error());
  std::string value;
  for (std::int64_t id = 0; id < setup_.records; ++id) {
    value.clear();
    append_record(id, setup_.record_size, value);
    const auto partition = static_cast<std::int32_t>(id % setup_.partitions);
    if (auto done = (*writer)->produce(topic_, partition, value); !done) return done;
    if (id % 10'000 != 0) continue;
    progress(id);
    if (interrupted_()) return interruption();
  }
  if (auto done = (*writer)->flush(); !done) return done;

  // What is there must be what was produced: the broker may keep less, and a retry may double.
  auto client = kafka::PlannerClient::connect(config_.pipeline.kafka, "semel-bench");
  if (!client) return tl::unexpected(client.error());
  std::vector<TopicPartition> tps;
  for (int i = 0; i < setup_.partitions; ++i) tps.push_back({topic_, i});
  const auto first = (*client)->earliest(tps, kafka_timeout_ms);
  if (!first) return tl::unexpected(first.error());
  const auto last = (*client)->latest(tps, kafka_timeout_ms);
  if (!last) return tl::unexpected(last.error());
  for (const auto& tp : tps) {
    const auto wanted = records_in(tp.partition, setup_.partitions, setup_.records);
    if (first->at(tp) == 0 && last->at(tp) == wanted) continue;
    return fail(ErrorKind::fatal, Cause::source,
                fmt::format("{} holds the offsets [{}, {}) and not [0, {}) as they were written: "
                            "the broker keeps less, or somebody else writes",
                            to_string(tp), first->at(tp), last->at(tp), wanted));
  }
  return {};
}

Result<Scene> Venue::prepare(Kind kind, const std::string& suffix) {
  Scene scene;
  scene.kind = kind;
  scene.name = to_string(kind) + "_" + suffix;
  for (auto& c : scene.name) c = c == '-' ? '_' : c;
  scene.bare = scene.name;
  scene.table = fmt::format("{}.{}", bench_schema, scene.name);
  scene.metrics = directory_ / (scene.name + ".prom");
  scene.config = directory_ / (scene.name + ".config");
  scene.log = directory_ / (scene.name + ".log");

  const auto progress = scene.table + "_progress";
  auto done = database_->execute(fmt::format(
      "CREATE TABLE {0} ({1}) WITH (autovacuum_enabled = false); CREATE TABLE {2} (start integer, "
      "worker integer, rows bigint, PRIMARY KEY (start, worker)) WITH (fillfactor = 50)",
      scene.table, columns_sql(), progress));
  if (!done) return tl::unexpected(done.error());
  // Earlier runs are none of this one's business.
  if (auto flushed = database_->execute("CHECKPOINT"); !flushed) {
    // Only a superuser may; it makes the runs more alike, no more.
  }

  std::string content;
  const auto pipeline = topic_ + "_" + scene.name;
  if (kind == Kind::semel) {
    auto config = config_;
    config.pipeline.name = pipeline;
    config.pipeline.state_dir = directory_ / "state";
    measured_sink(config).table = scene.table;
    content = write_configuration(config);
    const auto& sink = measured_sink(config);
    scene.watch = fmt::format(
        "SELECT coalesce((SELECT sum(until_offset) FROM {0}.\"{1}\" WHERE pipeline = '{3}'), "
        "0)::bigint, coalesce((SELECT max(epoch) FROM {0}.\"{2}\" WHERE pipeline = '{3}' AND kind "
        "= 'commit'), 0)::bigint",
        bench_schema, sink.progress_table, sink.commits_table, pipeline);
  } else {
    Spec spec;
    spec.kind = kind;
    spec.kafka = config_.pipeline.kafka;
    spec.postgres = measured_sink(config_);
    spec.postgres.table = scene.table;
    spec.topic = topic_;
    spec.partitions = setup_.partitions;
    spec.records = setup_.records;
    spec.group = pipeline;
    spec.progress = progress;
    spec.log_directory = directory_ / (scene.name + ".wal");
    spec.transaction_records = transaction_records();
    spec.workers = config_.pipeline.executors;
    std::filesystem::create_directory(spec.log_directory);
    content = to_json(spec);
    scene.watch = fmt::format(
        "SELECT coalesce(sum(rows), 0)::bigint, coalesce(max(start), 0)::bigint FROM {}", progress);
  }
  if (auto written = write_private(scene.config, content); !written) {
    return tl::unexpected(written.error());
  }
  if (auto watched = database_->watch(scene.watch); !watched) {
    return tl::unexpected(watched.error());
  }
  return scene;
}

void Venue::clear(const Scene& scene) {
  std::error_code ignored;
  std::filesystem::remove_all(directory_ / (scene.name + ".wal"), ignored);
  if (!setup_.keep) std::ignore = database_->execute("DROP TABLE " + scene.table);
}

}  // namespace semel::bench
