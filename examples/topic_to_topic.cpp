// From topic to topic, exactly once: records, position and dead letters are one Kafka transaction.
//
//   topic_to_topic BROKERS FROM TO
//
// copies what is in FROM now into TO, which has to exist, and ends; run again, it goes on where it
// stopped. Whoever reads TO sets isolation.level=read_committed.
#include <semel/pipeline.hpp>

#include <cstdio>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 4) return std::fprintf(stderr, "usage: topic_to_topic BROKERS FROM TO\n"), 2;
  const std::string brokers = argv[1];
  const std::string from = argv[2];
  const std::string to = argv[3];

  semel::Config config;
  config.set("name", "copy-" + from)
      .set("source.kafka.brokers", brokers)
      .set("source.kafka.topics", std::vector{from})
      .set("sink.kafka.brokers", brokers)
      .set("sink.kafka.topic", to)
      .set("sink.kafka.origin_headers", true)
      .set("executors", 2);

  auto pipeline = semel::Pipeline::create(config, {.once = true});
  if (!pipeline) return std::fprintf(stderr, "%s\n", pipeline.error().message.c_str()), 1;
  const auto done = pipeline->run();
  if (!done) return std::fprintf(stderr, "%s\n", done.error().message.c_str()), 1;
  std::printf("%llu records copied\n", static_cast<unsigned long long>(done->rows));
  return 0;
}
