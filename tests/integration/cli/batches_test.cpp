// What the commands say of a ledger with ~batches, which is no partition of Kafka.
#include <nlohmann/json.hpp>

#include "integration/cli/setup.hpp"
#include "support/catch.hpp"
#include "support/servers.hpp"

using namespace semel::test;

namespace {

/// As a pipeline leaves it that counts batches: entered, and moved by the last batch.
void count_batches(const Setup& setup, int rows) {
  setup.sql(
      "INSERT INTO semel_progress (pipeline, output, topic, \"partition\", until_offset, "
      "batch_time, epoch, owner, moved_at) SELECT pipeline, output, '~batches', 0, batch_time << "
      "20, batch_time, epoch, owner, moved_at FROM semel_progress");
  setup.sql(
      "INSERT INTO semel_commits (pipeline, output, topic, \"partition\", batch_time, epoch, "
      "from_offset, until_offset, kind, rows, dead_letters, ignored, suppressed, committed_at) "
      "SELECT pipeline, output, '~batches', 0, 0, epoch, 0, 0, 'start', 0, 0, 0, 0, committed_at "
      "FROM semel_commits WHERE kind = 'commit' UNION ALL SELECT pipeline, output, '~batches', 0, "
      "batch_time, epoch, 0, batch_time << 20, 'commit', " +
      std::to_string(rows) + ", 0, 0, 0, committed_at FROM semel_commits WHERE kind = 'commit'");
}

}  // namespace

TEST_CASE("a ledger that counts batches is shown and checked as its partitions of Kafka are") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(10);
  drain(setup);
  count_batches(setup, 0);

  const auto status = setup.run("status", {"--json", "--max-lag", "0"});
  INFO(status.out << status.err);
  CHECK(status.code == 0);
  const auto json = nlohmann::json::parse(status.out);
  CHECK(json["lag"] == 0);
  CHECK(json["partitions"].size() == 1);

  const auto shown = setup.run("offsets", {"show"});
  CHECK(shown.code == 0);
  CHECK_FALSE(has(shown.out, "~batches"));
  const auto checked = setup.run("check");
  INFO(checked.out << checked.err);
  CHECK(checked.code == 0);

  auto verified = setup.run("verify");
  INFO(verified.out << verified.err);
  CHECK(verified.code == 0);
  CHECK(has(verified.out, "no gap and no overlap in 1 partition."));
  CHECK_FALSE(has(verified.out, "~batches"));

  const auto set = setup.run("offsets", {"set", "~batches:0=5", "--force"});
  CHECK(set.code == 2);
  CHECK(has(set.err, "~batches[0] is no partition of Kafka: it counts the batches"));

  // A pipeline that does not count goes on beside it.
  setup.produce(5);
  drain(setup);
  CHECK(setup.value("SELECT count(*) FROM events") == "15");
  CHECK(setup.run("verify").code == 0);

  CHECK(setup.run("offsets", {"reset"}).code == 0);
  CHECK(setup.value("SELECT count(*) FROM semel_progress") == "0");
  CHECK(setup.run("verify").code == 0);
}

TEST_CASE("verify tells of ~batches where rows belong to whole batches, or its chain is broken") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(10);
  drain(setup);
  count_batches(setup, 3);
  auto verified = setup.run("verify");
  INFO(verified.out << verified.err);
  CHECK(verified.code == 0);
  CHECK(has(verified.out, "~batches[0]"));
  CHECK(has(verified.out, "no gap and no overlap in 1 partition."));

  setup.sql("UPDATE semel_progress SET until_offset = 7 WHERE topic = '~batches'");
  verified = setup.run("verify");
  INFO(verified.out << verified.err);
  CHECK(verified.code == 1);
  CHECK(has(verified.out, "✗ ~batches[0]: the history ends at"));
}
