#include <future>
#include <utility>

#include <semel/stream/receiver.hpp>

namespace semel::stream {

Inbox::~Inbox() = default;
Receiver::~Receiver() = default;

Result<void> Inbox::store(std::vector<Received> records) {
  std::promise<Result<void>> promise;
  auto done = promise.get_future();
  const bool taken = store(std::move(records),
                           [&promise](const Result<void>& result) { promise.set_value(result); });
  if (!taken) return fail(ErrorKind::unavailable, Cause::internal, "the pipeline ends");
  return done.get();
}

bool Inbox::store_behind(std::uint64_t /*failures*/, std::vector<Received> records,
                         Durable durable) {
  return store(std::move(records), std::move(durable));
}

std::uint64_t Inbox::failures() {
  return 0;
}

}  // namespace semel::stream
