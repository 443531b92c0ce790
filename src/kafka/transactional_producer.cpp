#include "kafka/transactional_producer.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "kafka/client.hpp"
#include "kafka/client_config.hpp"
#include "kafka/on_their_way.hpp"

namespace semel::kafka {

namespace {

using Clock = std::chrono::steady_clock;
using ErrorHandle = std::unique_ptr<rd_kafka_error_t, Destroyer<rd_kafka_error_destroy>>;
using HeadersHandle = std::unique_ptr<rd_kafka_headers_t, Destroyer<rd_kafka_headers_destroy>>;

// How soon a waiting call notices that it should stop.
constexpr int look_up_ms = 200;
/// Nobody is woken when a message arrives; a small queue is empty soon.
constexpr int room_ms = 5;
// How long the report of the message that failed first may be behind what it has done.
constexpr int reports_ms = 1'000;

/// The transactional id may be somebody else's: what we did with it is over.
bool is_fence(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING:
    case RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID:
    case RD_KAFKA_RESP_ERR_INVALID_TXN_STATE:
    case RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER:
    case RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER:
      return true;
    default:
      return false;
  }
}

bool is_gone(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
         code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
}

class Patience {
 public:
  explicit Patience(int ms) : end_(Clock::now() + std::chrono::milliseconds(ms)) {}
  /// Of one wait; 0: there is none left.
  int slice_ms() const {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end_ - Clock::now());
    return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, look_up_ms));
  }

 private:
  Clock::time_point end_;
};

/// What librdkafka holds of a record until it has arrived.
std::int64_t bytes_of(const Outgoing& record) {
  constexpr std::int64_t of_a_message = 320;
  constexpr std::int64_t of_a_header = 96;
  const auto size = [](const std::optional<std::string_view>& text) {
    return static_cast<std::int64_t>(text ? text->size() : 0);
  };
  auto bytes = of_a_message + size(record.key) + size(record.value);
  for (const auto& [name, value] : record.headers) {
    bytes += of_a_header + static_cast<std::int64_t>(name.size()) + size(value);
  }
  return bytes;
}

}  // namespace

struct TransactionalProducer::Impl {
  std::string id;
  std::int64_t queue_bytes_max = 0;
  OnTheirWay on_their_way{0};
  bool one_by_one = false;
  bool open = false;
  std::vector<rd_kafka_topic_t*> topics;
  std::vector<std::string> names;
  std::vector<RefusedRecord> refused;
  std::optional<Error> failure;    ///< of what was to be delivered, the first
  bool dropped = false;            ///< records were, because of a failure
  std::vector<rd_kafka_vu_t> vus;  ///< of the record that is being sent
  std::unique_ptr<Client> client;  ///< last: its end calls back

  void delivered(const rd_kafka_message_t& message) {
    if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) return;
    // What fails because the transaction has failed already says nothing of why.
    const bool echo = message.err == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
                      message.err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT ||
                      message.err == RD_KAFKA_RESP_ERR__STATE;
    if (echo) {
      dropped = true;
      return;
    }
    const auto doing = fmt::format("writing to topic {}", rd_kafka_topic_name(message.rkt));
    auto error = failed(message.err, doing);
    // Brokers' own answers are positive; what librdkafka may try again it has tried until it was
    // too late, and says that.
    if (error.kind == ErrorKind::unavailable && message.err > 0 && !is_gone(message.err)) {
      error.kind = ErrorKind::bad_data;
      refused.push_back({reinterpret_cast<std::uintptr_t>(message._private),
                         rd_kafka_err2name(message.err), rd_kafka_err2str(message.err)});
    }
    if (!failure || failure->kind == ErrorKind::bad_data) failure = std::move(error);
  }

  Error failed(rd_kafka_resp_err_t code, const std::string& doing) const {
    char text[512];
    // Behind what every call answers then stands the reason.
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
      code = rd_kafka_fatal_error(client->get(), text, sizeof text);
    }
    auto error = client->error(code, doing);
    if (is_fence(code)) {
      error.kind = ErrorKind::in_doubt;
      error.message = fmt::format("{}: {} is used by another process, or its time is over: {}",
                                  doing, id, rd_kafka_err2str(code));
    }
    if (is_gone(code)) {
      error.kind = ErrorKind::fatal;
      error.message += ": create the topic, with as many partitions, or correct its name";
    }
    return error;
  }

  /// Why the transaction has failed, where it has: a call that is out of place is told.
  std::optional<Error> reason() const {
    const ErrorHandle error{rd_kafka_begin_transaction(client->get())};
    if (!error) return std::nullopt;
    const auto code = rd_kafka_error_code(error.get());
    const bool is_told = rd_kafka_error_txn_requires_abort(error.get()) != 0 ||
                         rd_kafka_error_is_fatal(error.get()) != 0;
    return is_told ? std::optional(failed(code, "writing in a transaction")) : std::nullopt;
  }

  /// The same, by the message that failed first, whose report may be behind.
  std::optional<Error> why() {
    auto told = reason();
    const Patience patience(reports_ms);
    while (told && !failure && patience.slice_ms() > 0) {
      rd_kafka_poll(client->get(), patience.slice_ms());
    }
    if (!failure) failure = std::move(told);
    return failure;
  }

  /// What keeps the transaction from going on.
  std::optional<Error> trouble() {
    if (failure || !dropped) return failure;
    if (auto told = why()) return told;
    return Error{ErrorKind::unavailable, cause_of(Use::sink), "records were dropped by the client"};
  }

  Error stopped() const { return {ErrorKind::unavailable, Cause::sink, "interrupted"}; }

  /// Calls `attempt` until it is through, for some time: each call goes on where the last one
  /// stood.
  template <class Attempt>
  Result<void> until_done(const std::string& doing, int timeout_ms, const Stop& stop,
                          Attempt attempt) {
    const Patience patience(timeout_ms);
    while (true) {
      if (stop()) return tl::unexpected(stopped());
      const ErrorHandle error{attempt(std::max(patience.slice_ms(), 1))};
      client->poll();
      if (!error) return {};
      const auto code = rd_kafka_error_code(error.get());
      if (rd_kafka_error_is_retriable(error.get()) != 0 && patience.slice_ms() > 0) {
        if (code != RD_KAFKA_RESP_ERR__TIMED_OUT) rd_kafka_poll(client->get(), look_up_ms / 4);
        continue;
      }
      auto told = failed(code, doing);
      if (told.message.find(rd_kafka_err2str(code)) != std::string::npos && !is_fence(code)) {
        told.message += fmt::format(" ({})", rd_kafka_error_string(error.get()));
      }
      return tl::unexpected(std::move(told));
    }
  }

  void add(rd_kafka_vtype_t type, auto set) {
    rd_kafka_vu_t one{};
    one.vtype = type;
    set(one.u);
    vus.push_back(one);
  }
  void add_bytes(rd_kafka_vtype_t type, std::string_view bytes) {
    add(type, [bytes](auto& u) {
      // No address is no value; the signature is older than const.
      u.mem.ptr = const_cast<char*>(bytes.data() == nullptr ? "" : bytes.data());
      u.mem.size = bytes.size();
    });
  }
  void describe(std::size_t topic, const Outgoing& record) {
    vus.clear();
    add(RD_KAFKA_VTYPE_RKT, [&](auto& u) { u.rkt = topics[topic]; });
    add(RD_KAFKA_VTYPE_PARTITION, [&](auto& u) { u.i32 = record.partition; });
    add(RD_KAFKA_VTYPE_MSGFLAGS, [](auto& u) { u.i = RD_KAFKA_MSG_F_COPY; });
    if (record.timestamp_ms >= 0) {
      add(RD_KAFKA_VTYPE_TIMESTAMP, [&](auto& u) { u.i64 = record.timestamp_ms; });
    }
    add(RD_KAFKA_VTYPE_OPAQUE, [&](auto& u) { u.ptr = reinterpret_cast<void*>(record.tag); });
    if (record.key) add_bytes(RD_KAFKA_VTYPE_KEY, *record.key);
    if (record.value) add_bytes(RD_KAFKA_VTYPE_VALUE, *record.value);
  }
  /// Whether there is no room for one more; then something is under way that makes some.
  bool is_full(std::int64_t bytes) {
    if (on_their_way.bytes() + bytes <= queue_bytes_max) return false;
    const auto waiting = rd_kafka_outq_len(client->get());
    on_their_way.waiting(waiting);
    return waiting > 0 && on_their_way.bytes() + bytes > queue_bytes_max;
  }
  HeadersHandle headers_of(const Outgoing& record) {
    HeadersHandle headers{rd_kafka_headers_new(record.headers.size())};
    for (const auto& [name, value] : record.headers) {
      const void* bytes = nullptr;
      if (value) bytes = value->data() == nullptr ? "" : value->data();
      rd_kafka_header_add(headers.get(), name.data(), static_cast<ssize_t>(name.size()), bytes,
                          value ? static_cast<ssize_t>(value->size()) : 0);
    }
    return headers;
  }
};

TransactionalProducer::TransactionalProducer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

TransactionalProducer::~TransactionalProducer() {
  rd_kafka_purge(impl_->client->get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                           RD_KAFKA_PURGE_F_NON_BLOCKING);
}

Result<std::unique_ptr<TransactionalProducer>> TransactionalProducer::create(
    const Options& options, const std::string& name, const TransactionOptions& transactions) {
  auto conf = transaction_config(options, name, transactions);
  if (!conf) return tl::unexpected(conf.error());
  rd_kafka_conf_set_dr_msg_cb(conf->get(),
                              [](rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
                                static_cast<Client*>(opaque)->delivered(*message);
                              });
  auto client = Client::create(*std::move(conf), RD_KAFKA_PRODUCER, options);
  if (!client) return tl::unexpected(client.error());
  auto impl = std::make_unique<Impl>();
  impl->id = "transactional.id " + transactions.transactional_id;
  impl->one_by_one = transactions.one_by_one;
  constexpr int grains = 32;
  impl->queue_bytes_max = transactions.queue_bytes_max;
  impl->on_their_way = OnTheirWay(transactions.queue_bytes_max / grains);
  impl->client = *std::move(client);
  impl->client->log_for_debugging_only();
  impl->client->on_delivered(
      [self = impl.get()](const rd_kafka_message_t& message) { self->delivered(message); });
  return std::unique_ptr<TransactionalProducer>(new TransactionalProducer(std::move(impl)));
}

Result<void> TransactionalProducer::fence(int timeout_ms, const Stop& stop) {
  return impl_->until_done("beginning with " + impl_->id, timeout_ms, stop, [this](int slice_ms) {
    return rd_kafka_init_transactions(impl_->client->get(), slice_ms);
  });
}

std::size_t TransactionalProducer::topic(const std::string& name) {
  auto& names = impl_->names;
  const auto found = std::ranges::find(names, name);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  names.push_back(name);
  impl_->topics.push_back(impl_->client->topic(name));
  return names.size() - 1;
}

Result<void> TransactionalProducer::begin() {
  impl_->refused.clear();
  impl_->failure.reset();
  impl_->dropped = false;
  const ErrorHandle error{rd_kafka_begin_transaction(impl_->client->get())};
  if (error) {
    return tl::unexpected(
        impl_->failed(rd_kafka_error_code(error.get()), "beginning a transaction"));
  }
  impl_->open = true;
  return {};
}

Result<void> TransactionalProducer::send(std::size_t topic, const Outgoing& record,
                                         const Stop& stop) {
  auto& self = *impl_;
  self.describe(topic, record);
  HeadersHandle headers;
  if (!record.headers.empty()) {
    headers = self.headers_of(record);
    self.add(RD_KAFKA_VTYPE_HEADERS, [&](auto& u) { u.headers = headers.get(); });
  }
  const auto bytes = bytes_of(record);
  bool alone = false;
  while (true) {
    if (stop()) return tl::unexpected(self.stopped());
    if (auto trouble = self.trouble()) return tl::unexpected(*std::move(trouble));
    if (self.is_full(bytes)) {
      rd_kafka_poll(self.client->get(), room_ms);
      continue;
    }
    const ErrorHandle error{
        rd_kafka_produceva(self.client->get(), self.vus.data(), self.vus.size())};
    if (!error) {
      // NOLINTNEXTLINE(bugprone-unused-return-value): the message owns them now
      headers.release();
      self.on_their_way.sent(bytes);
      return {};
    }
    const auto code = rd_kafka_error_code(error.get());
    if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      // Out of place where the transaction has failed.
      if (auto why = self.why()) return tl::unexpected(*std::move(why));
      return tl::unexpected(self.failed(code, "writing to topic " + self.names[topic]));
    }
    // Larger than a limit that somebody has set: it would be waited for without end.
    if (alone) {
      return tl::unexpected(Error{
          ErrorKind::fatal, Cause::configuration,
          fmt::format("a record for topic {} is larger than all that may be on its way: raise "
                      "queue.buffering.max.kbytes, or leave it out",
                      self.names[topic])});
    }
    alone = rd_kafka_outq_len(self.client->get()) == 0;
    if (!alone) rd_kafka_poll(self.client->get(), room_ms);
  }
}

Result<void> TransactionalProducer::flush(int timeout_ms, const Stop& stop) {
  auto& self = *impl_;
  const Patience patience(timeout_ms);
  while (true) {
    if (stop()) return tl::unexpected(self.stopped());
    const auto code = rd_kafka_flush(self.client->get(), std::max(patience.slice_ms(), 1));
    if (auto trouble = self.trouble()) return tl::unexpected(*std::move(trouble));
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    // What has failed keeps what it has not sent.
    if (auto why = self.why()) return tl::unexpected(*std::move(why));
    if (patience.slice_ms() == 0) return tl::unexpected(self.failed(code, "writing records"));
  }
}

Result<void> TransactionalProducer::commit(int timeout_ms, const Stop& stop) {
  if (auto flushed = flush(timeout_ms, stop); !flushed) return flushed;
  impl_->open = false;
  auto done = impl_->until_done("ending a transaction", timeout_ms, stop, [this](int slice_ms) {
    return rd_kafka_commit_transaction(impl_->client->get(), slice_ms);
  });
  // Whatever is said of it: the broker may have been told.
  if (!done) done.error().kind = ErrorKind::in_doubt;
  return done;
}

bool TransactionalProducer::abort(int timeout_ms) noexcept {
  if (!std::exchange(impl_->open, false)) return true;
  const ErrorHandle error{rd_kafka_abort_transaction(impl_->client->get(), timeout_ms)};
  return !error;
}

const std::vector<RefusedRecord>& TransactionalProducer::refused() const {
  return impl_->refused;
}

bool TransactionalProducer::one_by_one() const {
  return impl_->one_by_one;
}

}  // namespace semel::kafka
