#include "event_producer.hpp"

#include <fmt/core.h>

#include "bench/data/topic_writer.hpp"

namespace semel::demo {
namespace {

auto connect(const std::string& brokers) {
  // What it prints is read by scripts; what fails is told at the end.
  const Log silent([](LogLevel, std::string_view) {}, LogLevel::error);
  return kafka::TopicWriter::connect({.brokers = brokers, .log = silent}, "semel-demo");
}

}  // namespace

Result<void> ensure_topic(const std::string& brokers, const std::string& topic, int partitions) {
  const auto writer = connect(brokers);
  if (!writer) return tl::unexpected(writer.error());
  const auto ready = (*writer)->ensure(topic, partitions);
  if (!ready) return tl::unexpected(ready.error());
  if (*ready == partitions) return {};
  return fail(ErrorKind::fatal, Cause::configuration,
              fmt::format("topic {} has {} partitions, not {}: say --partitions {}", topic, *ready,
                          partitions, *ready));
}

Result<Totals> produce_events(const std::string& brokers, const std::string& topic, int partitions,
                              std::int64_t count) {
  Totals totals;
  auto produced = produce_records(
      brokers, topic, partitions, count,
      [&totals](std::int64_t id, std::string& value) { append_event(id, value, totals); });
  if (!produced) return tl::unexpected(produced.error());
  return totals;
}

Result<void> produce_records(const std::string& brokers, const std::string& topic, int partitions,
                             std::int64_t count,
                             const std::function<void(std::int64_t, std::string&)>& append) {
  const auto writer = connect(brokers);
  if (!writer) return tl::unexpected(writer.error());
  std::string value;
  for (std::int64_t id = 0; id < count; ++id) {
    value.clear();
    append(id, value);
    auto sent = (*writer)->produce(topic, static_cast<std::int32_t>(id % partitions), value);
    if (!sent) return sent;
  }
  return (*writer)->flush();
}

}  // namespace semel::demo
