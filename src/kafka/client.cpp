#include "kafka/client.hpp"

#include <fmt/format.h>
#include <syslog.h>
#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

namespace semel::kafka {

namespace {

constexpr std::int64_t repeat_after_ms = 30'000;
// How long what a connection said is believed without being said again.
constexpr std::int64_t word_holds_ms = 15'000;

// Kafka's protocol: ApiKeys.
constexpr std::int16_t metadata_request = 3;
constexpr std::int16_t sasl_handshake = 17;
constexpr std::int16_t api_versions = 18;
constexpr std::int16_t sasl_authenticate = 36;

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

bool needs_somebody(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_SECURITY_DISABLED:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
      return true;
    default:
      return false;
  }
}

/// Errors that say no more than "no broker answered": the reason was told before, by a connection.
bool says_nothing(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__TIMED_OUT ||
         code == RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE || code == RD_KAFKA_RESP_ERR__WAIT_COORD ||
         code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || code == RD_KAFKA_RESP_ERR__WAIT_CACHE;
}

/// Keeps what must not be destroyed: some kilobytes of a pipeline that cannot start, or that ends.
template <class Object>
void abandon(Object* object) {
  static std::mutex mutex;
  // Never destroyed: what it holds must still be held when leaks are looked for at the exit.
  static auto& abandoned = *new std::vector<Object*>;
  const std::lock_guard lock(mutex);
  abandoned.push_back(object);
}

// What to do where no broker can be talked to.
constexpr std::string_view start_broker = "Start the broker, or correct {0}";
constexpr std::string_view correct_address = "Correct {0}, or set security.protocol in {1}";
constexpr std::string_view correct_security =
    "Correct the security settings in {1} (ssl.ca.location says whose "
    "certificates are trusted), or the broker's certificate";

/// `reason` begins with the broker's name: "localhost:5432/bootstrap: Receive failed: …".
std::string what_answers(std::string_view reason) {
  const auto name = reason.substr(0, reason.find(": "));
  return fmt::format("{}: what answers there does not speak Kafka, or wants TLS",
                     name.substr(0, name.rfind("/bootstrap")));
}

std::string refused_configuration(const Options& options, std::string reason) {
  std::ranges::replace(reason, '\n', ' ');
  // The one thing that librdkafka finds out so late and does not name as a property.
  if (reason.find("SASL mechanism") != std::string::npos) reason = "sasl.mechanisms: " + reason;
  return fmt::format("{}: librdkafka refuses the configuration: {}", options.called("librdkafka"),
                     reason);
}

}  // namespace

std::string library_version() {
  return rd_kafka_version_str();
}

Result<std::unique_ptr<Client>> Client::create(ConfHandle conf, rd_kafka_type_t type,
                                               const Options& options) {
  std::unique_ptr<Client> made{new Client(options)};
  rd_kafka_conf_set_opaque(conf.get(), made.get());
  rd_kafka_conf_set_log_cb(conf.get(), &Client::on_log);
  rd_kafka_conf_set_error_cb(conf.get(), &Client::on_error);
  rd_kafka_conf_interceptor_add_on_new(conf.get(), "semel", &Client::on_new, made.get());
  char reason[512];
  made->client_.reset(rd_kafka_new(type, conf.get(), reason, sizeof reason));
  if (!made->client_) {
    // rd_kafka_new() does not own the configuration when it fails. But once it has called on_new it
    // has freed the configuration's interceptors, which rd_kafka_conf_destroy() frees again: such a
    // configuration is left alone.
    if (made->on_new_called_) abandon(conf.release());
    return fail(ErrorKind::fatal, Cause::configuration, refused_configuration(options, reason));
  }
  conf.release();  // NOLINT(bugprone-unused-return-value): the client owns it now
  made->created_ = true;
  return made;
}

void Client::leave(std::unique_ptr<Client> client) {
  // The log's own objects may be gone before its threads are.
  client->left_ = true;
  abandon(client.release());
}

Client::~Client() {
  topics_.clear();
}

rd_kafka_topic_t* Client::topic(const std::string& name) {
  auto& handle = topics_[name];
  if (!handle) handle.reset(rd_kafka_topic_new(client_.get(), name.c_str(), nullptr));
  return handle.get();
}

void Client::drop_topic(const std::string& name) {
  topics_.erase(name);
}

void Client::poll() {
  rd_kafka_poll(client_.get(), 0);
}

bool Client::refuses_login() const {
  const std::lock_guard lock(mutex_);
  return last_word_ == Word::refused_login && now_ms() - last_word_ms_ < word_holds_ms;
}

bool Client::connections_fail() const {
  const std::lock_guard lock(mutex_);
  return last_word_ == Word::failed && now_ms() - last_word_ms_ < word_holds_ms;
}

Result<void> Client::same_cluster() const {
  if (cluster_.empty()) return {};
  char* id = rd_kafka_clusterid(client_.get(), 0);
  if (id == nullptr) return {};
  const std::string now = id;
  rd_kafka_mem_free(client_.get(), id);
  if (now == cluster_) return {};
  return fail(
      ErrorKind::fatal, Cause::data_loss,
      fmt::format("Kafka at {} answers as cluster {}, and was cluster {}: the offsets of the one "
                  "mean nothing in the other, and nothing of it was stored. Correct "
                  "{}, choose another pipeline name, or start over with `semel offsets FILE reset`",
                  brokers_, now, cluster_, called_brokers_));
}

Error Client::error(rd_kafka_resp_err_t code, const std::string& doing) const {
  const bool login = refuses_login();
  const std::lock_guard lock(mutex_);
  if (login) {
    return {ErrorKind::fatal, cause_of(use_),
            fmt::format("Kafka at {} refuses the login: {}. Correct the security settings in "
                        "{}",
                        brokers_, broker_error_, called_librdkafka_)};
  }
  const auto kind = needs_somebody(code) ? ErrorKind::fatal : ErrorKind::unavailable;
  if (says_nothing(code)) {
    return {kind, cause_of(use_),
            fmt::format("Kafka at {} cannot be reached ({}): {}. {}", brokers_, doing,
                        broker_error_.empty() ? "nothing is answered there" : broker_error_,
                        fmt::format(fmt::runtime(remedy_.empty() ? start_broker : remedy_),
                                    called_brokers_, called_table_))};
  }
  return {kind, cause_of(use_),
          fmt::format("Kafka at {}: {} failed: {}", brokers_, doing, rd_kafka_err2str(code))};
}

void Client::on_error(rd_kafka_t* client, int code, const char* reason, void* opaque) {
  auto& self = *static_cast<Client*>(opaque);
  self.log_.debug("kafka: {}: {}", rd_kafka_err2name(static_cast<rd_kafka_resp_err_t>(code)),
                  reason);
  self.doubts_.fetch_add(1, std::memory_order_release);
  const auto says = [&self](Word word, const std::string& text,
                            std::string_view remedy = start_broker) {
    const std::lock_guard lock(self.mutex_);
    self.broker_error_ = text;
    self.remedy_ = remedy;
    if (word == Word::none) return;
    self.last_word_ = word;
    self.last_word_ms_ = now_ms();
    self.word_given_ = true;
  };
  switch (code) {
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
      break;  // says no more than what the connections said before
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
      says(Word::refused_login, reason);
      break;
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
      // What TLS refuses comes as a lost connection, too, with OpenSSL's words for it.
      says(Word::failed, reason,
           std::string_view(reason).find("SSL routines") == std::string_view::npos
               ? start_broker
               : correct_security);
      break;
    case RD_KAFKA_RESP_ERR__SSL:
      says(Word::failed, reason, correct_security);
      break;
    case RD_KAFKA_RESP_ERR__BAD_MSG:
      // Where Kafka has spoken once, librdkafka's own reason is the right one.
      if (self.spoke_) {
        says(Word::none, reason);
      } else {
        says(Word::failed, what_answers(reason), correct_address);
      }
      break;
    case RD_KAFKA_RESP_ERR__FATAL: {
      char text[512];
      rd_kafka_fatal_error(client, text, sizeof text);
      says(Word::none, text);
      break;
    }
    default:
      says(Word::none, reason);
  }
}

rd_kafka_resp_err_t Client::on_new(rd_kafka_t* client, const rd_kafka_conf_t*, void* opaque, char*,
                                   size_t) {
  static_cast<Client*>(opaque)->on_new_called_ = true;
  const auto added =
      rd_kafka_interceptor_add_on_response_received(client, "semel", &Client::on_response, opaque);
  if (added != RD_KAFKA_RESP_ERR_NO_ERROR) return added;
  return rd_kafka_interceptor_add_on_request_sent(client, "semel", &Client::on_request, opaque);
}

rd_kafka_resp_err_t Client::on_request(rd_kafka_t*, int, const char*, std::int32_t,
                                       std::int16_t key, std::int16_t, std::int32_t, size_t,
                                       void* opaque) {
  // librdkafka tells nobody about a partition that changed its leader or was unknown for a moment,
  // but it always asks for metadata then, before it fetches on.
  if (key == metadata_request) {
    static_cast<Client*>(opaque)->doubts_.fetch_add(1, std::memory_order_release);
  }
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t Client::on_response(rd_kafka_t*, int, const char*, std::int32_t,
                                        std::int16_t key, std::int16_t, std::int32_t, size_t,
                                        std::int64_t, rd_kafka_resp_err_t error, void* opaque) {
  // What is answered before the login says nothing of it.
  const bool about_login = key == sasl_handshake || key == sasl_authenticate || key == api_versions;
  auto& self = *static_cast<Client*>(opaque);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) self.spoke_.store(true, std::memory_order_relaxed);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR || about_login || key < 0 || !self.word_given_) {
    return RD_KAFKA_RESP_ERR_NO_ERROR;
  }
  const std::lock_guard lock(self.mutex_);
  self.last_word_ = Word::none;
  self.word_given_ = false;
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

void Client::on_log(const rd_kafka_t* client, int level, const char* facility, const char* text) {
  // Called by librdkafka's threads too, and before rd_kafka_new() has returned.
  static_cast<Client*>(rd_kafka_opaque(client))->say(level, facility, text);
}

void Client::say(int level, std::string_view facility, const char* text) {
  if (left_) return;
  // What a connection says is kept for error messages (on_error); as a log it would be a flood.
  const bool connection = facility == "FAIL" || facility == "ERROR";
  // Remarks on the configuration: consumers' properties in a producer, the embedded broker's age.
  const bool remark = facility == "CONFWARN" || facility == "AUTOCREATE";
  // Until it is there, what it says comes back as the reason why it is not.
  if (level > LOG_WARNING || connection || remark || quiet_ || !created_) {
    log_.debug("librdkafka: {}: {}", facility, text);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    const auto now = now_ms();
    const auto [at, first] = logged_at_ms_.try_emplace(std::string(facility), now);
    if (!first && now - at->second < repeat_after_ms) {
      log_.debug("librdkafka: {}: {}", facility, text);
      return;
    }
    at->second = now;
  }
  log_.warn("librdkafka: {}: {}", facility, text);
}

}  // namespace semel::kafka
