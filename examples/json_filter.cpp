// JSON into PostgreSQL, without the records that a function in C++ does not want: a sink of one's
// own that wraps the sink of [sink.postgres], and leaves all that is difficult to it.
//
//   json_filter BROKERS DSN [--once]
//
// reads the topic `payments` into the table of the same name, but for those of test accounts:
//   CREATE TABLE payments (id bigint, account text, amount numeric);
#include <semel/forwarding.hpp>
#include <semel/pipeline.hpp>

#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

/// What is wanted. A pure function of the record: after a crash the same records are asked again.
bool wanted(const semel::Record& record) {
  return !record.value || record.value->find(R"("account":"test-)") == std::string_view::npos;
}

/// One executor uses a session: no locks.
class FilteringSession : public semel::ForwardingSession {
 public:
  using ForwardingSession::ForwardingSession;

  semel::Result<std::optional<semel::Refused>> begin(std::span<const semel::Task> tasks) override {
    left_out_.assign(tasks.size(), 0);
    return ForwardingSession::begin(tasks);
  }

  semel::Result<void> write(std::size_t task, std::span<const semel::Record> records) override {
    kept_.clear();
    for (const auto& record : records) {
      if (wanted(record)) {
        kept_.push_back(record);  // views: valid until this call returns
      } else {
        ++left_out_[task];
      }
    }
    if (kept_.empty()) return {};
    return ForwardingSession::write(task, kept_);
  }

  semel::Result<semel::CommitResult> commit(std::span<const semel::RangeEnd> ends) override {
    auto result = ForwardingSession::commit(ends);
    if (!result) return result;
    // Each record of a range is counted once: these are ignored.
    if (auto* committed = std::get_if<std::vector<semel::Committed>>(&*result)) {
      for (std::size_t i = 0; i < committed->size(); ++i) (*committed)[i].ignored += left_out_[i];
    }
    return result;
  }

 private:
  std::vector<semel::Record> kept_;
  std::vector<std::uint64_t> left_out_;  ///< of each task
};

class FilteringSink : public semel::ForwardingSink {
 public:
  using ForwardingSink::ForwardingSink;

  semel::Result<std::unique_ptr<semel::SinkSession>> open_session() override {
    auto session = ForwardingSink::open_session();
    if (!session) return session;
    return std::make_unique<FilteringSession>(*std::move(session));
  }
};

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 3) return std::fprintf(stderr, "usage: json_filter BROKERS DSN [--once]\n"), 2;
  auto config = semel::Config::parse(R"(
    name = "payments"
    [source.kafka]
    topics = ["payments"]
    [sink.postgres]
    table = "payments"
  )");
  config.set("source.kafka.brokers", argv[1]).set("sink.postgres.dsn", argv[2]);

  auto pipeline = semel::Pipeline::create(
                      config, {.wrap = [](std::string_view, std::unique_ptr<semel::Sink> postgres)
                                   -> semel::Result<std::unique_ptr<semel::Sink>> {
                                 return std::make_unique<FilteringSink>(std::move(postgres));
                               },
                               .once = argc > 3 && std::string_view(argv[3]) == "--once"})
                      .value();
  const auto done = pipeline.run().value();
  std::printf("%llu rows, %llu left out\n", static_cast<unsigned long long>(done.rows),
              static_cast<unsigned long long>(done.ignored));
  return 0;
} catch (const semel::Failed& failed) {
  std::fprintf(stderr, "%s\n", failed.what());
  return 1;
}
