// Lines as they are, into an output "out": from a topic, or from a sender, through a log on this
// machine. What bench/run --work receivers compares.
//
// usage: bench-receive CONFIG.toml topic|tcp|http TOPIC|ADDRESS RECORDS
// Ends once as many records are committed.
#include <semel/stream.hpp>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace stream = semel::stream;

namespace {

class Counter final : public semel::PipelineListener {
 public:
  explicit Counter(std::int64_t wanted) : left_(wanted) {}

  void watch(stream::Pipeline& pipeline) { pipeline_ = &pipeline; }

  void on_committed(std::string_view, semel::BatchTime,
                    std::span<const semel::CommittedRange> ranges) override {
    for (const auto& committed : ranges) {
      const auto& range = committed.range;
      if (range.tp.topic.front() != '~') left_ -= range.until - range.from;
    }
    if (left_ <= 0) pipeline_->request_stop();
  }

 private:
  std::int64_t left_;
  stream::Pipeline* pipeline_ = nullptr;
};

auto source(stream::Pipeline& pipeline, const std::string& how, const std::string& where) {
  if (how == "topic") return pipeline.direct_stream({where});
  return pipeline.receiver_stream(
      "lines", how == "http" ? stream::http_post(where) : stream::tcp_lines(where));
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 5) {
    std::fprintf(stderr, "usage: bench-receive CONFIG.toml topic|tcp|http TOPIC|ADDRESS RECORDS\n");
    return 2;
  }
  auto config = semel::Config::load(argv[1]);
  if (!config) throw semel::Failed(config.error());
  auto counter = std::make_shared<Counter>(std::stoll(argv[4]));
  stream::Setup setup;
  setup.listener = counter;
  stream::Pipeline pipeline(*config, setup);
  counter->watch(pipeline);
  source(pipeline, argv[2], argv[3]).to("out");
  if (const auto done = pipeline.run(); !done) throw semel::Failed(done.error());
  return 0;
} catch (const semel::Failed& failed) {
  std::fprintf(stderr, "%s\n", failed.error().message.c_str());
  return 1;
}
