// The counting sink is semel's own sink with a count beside it: the program that is measured is the
// one that people run.
#include <regex>
#include <set>
#include <string>

#include "bench/semel/counting_sink.hpp"
#include "support/catch.hpp"
#include "support/temp_dir.hpp"

using namespace semel;
using semel::test::read_file;
using semel::test::TempDir;

namespace {

using Calls = std::set<std::string>;

class RecordingSession final : public SinkSession {
 public:
  explicit RecordingSession(std::shared_ptr<Calls> calls) : calls_(std::move(calls)) {}

  void warm_up() noexcept override { calls_->insert("warm_up"); }
  Result<std::optional<Refused>> begin(std::span<const Task>) override {
    calls_->insert("begin");
    return std::nullopt;
  }
  Result<void> write(std::size_t, std::span<const Record>) override {
    calls_->insert("write");
    return {};
  }
  Result<CommitResult> commit(std::span<const RangeEnd>) override {
    calls_->insert("commit");
    return std::vector<Committed>{};
  }
  void abort() noexcept override { calls_->insert("abort"); }

 private:
  std::shared_ptr<Calls> calls_;
};

class RecordingSink final : public Sink {
 public:
  explicit RecordingSink(std::shared_ptr<Calls> calls) : calls_(std::move(calls)) {}

  Guarantee guarantee() const override {
    calls_->insert("guarantee");
    return Guarantee::idempotent;
  }
  Result<TakenOver> take_over(const std::string&) override {
    calls_->insert("take_over");
    return TakenOver{};
  }
  Result<EnterResult> enter(std::span<const semel::Progress>) override {
    calls_->insert("enter");
    return std::vector<semel::Progress>{};
  }
  Result<std::vector<LedgerEntry>> resolve(std::span<const Task>) override {
    calls_->insert("resolve");
    return std::vector<LedgerEntry>{};
  }
  Result<Alive> keep_alive() override {
    calls_->insert("keep_alive");
    return Alive{};
  }
  Result<bool> trim() override {
    calls_->insert("trim");
    return false;
  }
  Result<std::unique_ptr<SinkSession>> open_session() override {
    calls_->insert("open_session");
    return std::make_unique<RecordingSession>(calls_);
  }
  void leave(const std::optional<std::string>&) noexcept override { calls_->insert("leave"); }
  void interrupt() noexcept override { calls_->insert("interrupt"); }

 private:
  std::shared_ptr<Calls> calls_;
};

std::string contract() {
  return read_file(SEMEL_SOURCE_ROOT "/include/semel/sink.hpp");
}

}  // namespace

TEST_CASE("the counting sink hands every member of the contract on to the sink that it wraps") {
  const TempDir dir;
  const auto calls = std::make_shared<Calls>();
  auto counting = bench::count_records(std::make_unique<RecordingSink>(calls), dir / "tally");
  REQUIRE(counting);
  auto& sink = **counting;
  CHECK(sink.guarantee() == Guarantee::idempotent);
  CHECK(sink.take_over(""));
  CHECK(sink.enter({}));
  CHECK(sink.resolve({}));
  CHECK(sink.keep_alive());
  CHECK(sink.trim());
  sink.leave(std::nullopt);
  sink.interrupt();
  auto session = sink.open_session();
  REQUIRE(session);
  (*session)->warm_up();
  CHECK((*session)->begin({}));
  CHECK((*session)->write(0, {}));
  CHECK((*session)->commit({}));
  (*session)->abort();

  // As the header has them: a member that is added to it has to be added here.
  Calls members;
  const auto text = contract();
  const std::regex member(R"(virtual [^;]*?(\w+)\([^;]*;)");
  for (auto found = std::sregex_iterator(text.begin(), text.end(), member);
       found != std::sregex_iterator(); ++found) {
    if (found->str().find('~') == std::string::npos) members.insert((*found)[1]);
  }
  REQUIRE(members.size() > 10);
  CHECK(*calls == members);
}

TEST_CASE("the contract of a sink has no member that an implementation can forget") {
  const auto text = contract();
  const std::regex member(R"(virtual [^;{]*[;{])");
  int members = 0;
  for (auto found = std::sregex_iterator(text.begin(), text.end(), member);
       found != std::sregex_iterator(); ++found) {
    if (found->str().find('~') != std::string::npos) continue;
    ++members;
    INFO(found->str());
    CHECK(found->str().find("= 0;") != std::string::npos);
  }
  CHECK(members > 10);
}
