// An owner of an output on the real broker, and its sessions, of one partition.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "integration/kafka_sink/rig.hpp"

namespace semel::test {

struct Owning {
  TopicPartition tp{"clicks", 0};

  Owning(const KafkaOutput& output, const std::string& who, int sessions)
      : sink(output.open(owner_named(who), sessions)) {
    const auto taken = sink->take_over("c");
    REQUIRE(taken);
    epoch = taken->epoch;
    const std::vector starts{Progress{.tp = tp, .until = 0}};
    REQUIRE(sink->enter(starts));
    for (int i = 0; i < sessions; ++i) all.push_back(sink->open_session().value());
  }
  Task task(Offset from, Offset until) const {
    return {.time = {1'000 + until}, .range = {tp, from, until}, .epoch = epoch};
  }
  void begin(SinkSession& session, Offset from, Offset until) const {
    const auto one = task(from, until);
    const auto begun = session.begin({&one, 1});
    REQUIRE(begun);
    REQUIRE_FALSE(*begun);
    for (auto at = from; at < until; ++at) {
      const Record record{.offset = at, .value = "v", .headers = {}};
      REQUIRE(session.write(0, {&record, 1}));
    }
  }
  static Result<CommitResult> commit(SinkSession& session) {
    const RangeEnd end{};
    return session.commit({&end, 1});
  }

  std::unique_ptr<Sink> sink;
  std::int64_t epoch = 0;
  std::vector<std::unique_ptr<SinkSession>> all;
};

}  // namespace semel::test
