// Orders of senders who cannot send them again, each once in a table: posted over HTTP, or lines
// over TCP. They are on disk before their sender is told so.
//
//   receive_orders CONFIG.toml http|tcp ADDRESS [TOPIC]
//
// The configuration has one output, "orders", and needs no Kafka, unless a TOPIC is named: then
// they are safe there instead of here, and any machine may go on. A sender posts lines of JSON:
//
//   curl -H 'Semel-Sender: till 7' -H 'Semel-Sequence: 1' --data-binary @orders.jsonl
//   http://ADDRESS/
#include <semel/stream.hpp>

#include "run_until_told.hpp"

#include <cstdint>
#include <cstdio>
#include <string>

namespace stream = semel::stream;

namespace {

struct Order {
  std::int64_t id;
  std::string item;
  double price;
};

}  // namespace

int main(int argc, char** argv) try {
  const std::string how = argc == 4 || argc == 5 ? argv[2] : "";
  if (how != "http" && how != "tcp") {
    std::fprintf(stderr, "usage: receive_orders CONFIG.toml http|tcp ADDRESS [TOPIC]\n");
    return 2;
  }
  auto config = semel::Config::load(argv[1]);
  if (!config) {
    std::fprintf(stderr, "%s\n", config.error().message.c_str());
    return 1;
  }
  stream::ReceiverOptions options;
  if (argc == 5) options.topic = argv[4];
  stream::Pipeline pipeline(*config);
  pipeline
      .receiver_stream("orders",
                       how == "http" ? stream::http_post(argv[3]) : stream::tcp_lines(argv[3]),
                       options)
      .map(semel::json::as<Order>(), "order")
      .map(
          [](const Order& order) -> stream::Step<Order> {
            if (order.price < 0) return stream::Bad{"the price is below zero"};
            return order;
          },
          "price")
      .to("orders");
  return run_until_told(pipeline);
} catch (const semel::Failed& failed) {
  // An address that is none, say.
  std::fprintf(stderr, "%s\n", failed.error().message.c_str());
  return 1;
}
