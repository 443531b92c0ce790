#include "source/intake.hpp"

#include <future>
#include <optional>
#include <utility>

#include "support/catch.hpp"

namespace semel::test {

namespace {

/// Each write waits for what the test says of it.
class Scripted final : public source::Intake {
 public:
  Scripted() : Intake({}) { begin(); }
  ~Scripted() override { stop(); }

  /// The write that is under way, or the next one, is answered.
  void answer(Result<void> with) {
    answers_.set_value(std::move(with));
    answered_.get_future().wait();
    answers_ = {};
    answered_ = {};
  }

  std::vector<std::string> kept;  ///< once answered

 private:
  Result<void> write(const Group& group) override {
    const auto with = answers_.get_future().get();
    for (const auto& [records, durable] : group) {
      for (const auto& record : records) {
        if (with) kept.push_back(record.value);
      }
    }
    answered_.set_value();
    return with;
  }

  std::promise<Result<void>> answers_;
  std::promise<void> answered_;
};

/// What a sender is told.
struct Told {
  std::promise<Result<void>> promise;
  stream::Inbox::Durable durable() {
    return [this](const Result<void>& kept) { promise.set_value(kept); };
  }
  bool kept() { return promise.get_future().get().has_value(); }
};

const Result<void> away = fail(ErrorKind::unavailable, Cause::source, "Kafka is away");

}  // namespace

TEST_CASE(
    "nothing is kept behind what was not: neither what waited, nor what comes of that sender") {
  Scripted log;
  const auto came = log.failures();
  Told first;
  Told waited;
  REQUIRE(log.store_behind(came, {{.value = "1", .sender = "s", .sequence = 1}}, first.durable()));
  REQUIRE(log.store_behind(came, {{.value = "2", .sender = "s", .sequence = 2}}, waited.durable()));
  log.answer(away);
  CHECK_FALSE(first.kept());
  CHECK_FALSE(waited.kept());
  Told behind;
  REQUIRE(log.store_behind(came, {{.value = "3", .sender = "s", .sequence = 3}}, behind.durable()));
  CHECK_FALSE(behind.kept());

  // It comes again, and begins with what it was not told of.
  Told again;
  REQUIRE(log.store_behind(log.failures(), {{.value = "1", .sender = "s", .sequence = 1}},
                           again.durable()));
  log.answer({});
  CHECK(again.kept());
  CHECK(log.kept == std::vector<std::string>{"1"});
}

}  // namespace semel::test
