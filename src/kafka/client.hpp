// One librdkafka client: its life, its log, its errors, and what was heard of the brokers.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <semel/error.hpp>

#include "base/log.hpp"
#include "kafka/handles.hpp"
#include "kafka/options.hpp"

namespace semel::kafka {

/// Of librdkafka, as it is loaded: "2.0.2".
std::string library_version();

/// One thread uses a Client; librdkafka's own threads call back into it.
class Client {
 public:
  static Result<std::unique_ptr<Client>> create(ConfHandle conf, rd_kafka_type_t type,
                                                const Options& options);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  /// Leaves one behind whose closing would wait for long: its threads go on until the process ends,
  /// and say nothing any more.
  static void leave(std::unique_ptr<Client> client);

  const Log& log() const { return log_; }
  rd_kafka_t* get() const { return client_.get(); }

  /// The handle of a topic; made once, lives as long as the client.
  rd_kafka_topic_t* topic(const std::string& name);
  void drop_topic(const std::string& name);

  /// Serves librdkafka's events; never waits. Call it often.
  void poll();

  /// Rises whenever librdkafka had reason to ask who leads which partition, or lost a broker: a
  /// topic may have been created anew meanwhile, so what is fetched from now on proves nothing
  /// about what was read before. Includes the periodic question (every five minutes).
  std::uint64_t doubts() const { return doubts_.load(std::memory_order_acquire); }

  /// The last word of the connections is that they are refused or broke off: nothing was answered
  /// since. Silence is not among it.
  bool connections_fail() const;

  /// The last word of the connections is that the login is refused.
  bool refuses_login() const;

  /// Called by poll() with what became of a commit of offsets.
  void on_committed(std::function<void(rd_kafka_resp_err_t)> call) { committed_ = std::move(call); }
  void committed(rd_kafka_resp_err_t code) const {
    if (committed_) committed_(code);
  }

  /// Called by poll() and whatever waits with a message that was not delivered, or with any, as the
  /// configuration says.
  void on_delivered(std::function<void(const rd_kafka_message_t&)> call) {
    delivered_ = std::move(call);
  }
  void delivered(const rd_kafka_message_t& message) const {
    if (delivered_) delivered_(message);
  }

  /// What goes wrong is told by the calls that fail, all of it: what librdkafka logs is for
  /// debugging.
  void log_for_debugging_only() { quiet_ = true; }

  /// From here on another cluster that answers is an error of same_cluster().
  void expect_cluster(std::string id) { cluster_ = std::move(id); }
  /// By what brokers said last; asks nobody. Fatal where another cluster answers.
  Result<void> same_cluster() const;

  /// What the setting of the group is called, and the one that leaves groups alone.
  const std::string& called_group() const { return called_group_; }
  const std::string& called_no_group() const { return called_no_group_; }

  /// The one place where librdkafka's errors become ours. `doing`: "asking for the topics".
  Error error(rd_kafka_resp_err_t code, const std::string& doing) const;

 private:
  explicit Client(const Options& options)
      : use_(options.use),
        brokers_(options.brokers),
        called_brokers_(options.called("brokers")),
        called_librdkafka_(options.called("librdkafka")),
        called_table_(
            options.names(std::string("[").append(section_of(options.use)) + ".librdkafka]")),
        called_group_(options.called("group_id")),
        called_no_group_(options.names("commit_group_offsets = false")),
        log_(options.log) {}

  static void on_log(const rd_kafka_t* client, int level, const char* facility, const char* text);
  static void on_error(rd_kafka_t* client, int code, const char* reason, void* opaque);
  static rd_kafka_resp_err_t on_new(rd_kafka_t* client, const rd_kafka_conf_t* conf, void* opaque,
                                    char* reason, size_t size);
  static rd_kafka_resp_err_t on_response(rd_kafka_t* client, int socket, const char* broker,
                                         std::int32_t id, std::int16_t key, std::int16_t version,
                                         std::int32_t correlation, size_t size, std::int64_t rtt,
                                         rd_kafka_resp_err_t error, void* opaque);
  static rd_kafka_resp_err_t on_request(rd_kafka_t* client, int socket, const char* broker,
                                        std::int32_t id, std::int16_t key, std::int16_t version,
                                        std::int32_t correlation, size_t size, void* opaque);
  void say(int level, std::string_view facility, const char* text);

  Use use_;
  std::string brokers_;
  // What settings are called, for people.
  std::string called_brokers_, called_librdkafka_, called_table_;
  std::string called_group_, called_no_group_;
  Log log_;
  std::string cluster_;
  std::function<void(rd_kafka_resp_err_t)> committed_;
  std::function<void(const rd_kafka_message_t&)> delivered_;
  bool on_new_called_ = false;
  std::atomic<bool> created_ = false;
  std::atomic<bool> left_ = false;
  std::atomic<bool> quiet_ = false;
  std::atomic<std::uint64_t> doubts_ = 0;
  std::atomic<bool> spoke_ = false;  ///< some broker has answered as Kafka does

  mutable std::mutex mutex_;
  std::string broker_error_;  ///< the last one that says why a broker could not be used
  std::string_view remedy_;   ///< what to do about it; {0}: the brokers' setting, {1}: librdkafka's
  /// What the connections said last, until a request is answered. Each can say it again within
  /// seconds (reconnect.backoff.max.ms); what was said long ago and not again is over.
  enum class Word : std::uint8_t { none, failed, refused_login };
  Word last_word_ = Word::none;
  std::int64_t last_word_ms_ = 0;
  std::atomic<bool> word_given_ = false;                           ///< last_word_ is not none
  std::map<std::string, std::int64_t, std::less<>> logged_at_ms_;  ///< by facility

  // Last, so that its threads have ended before anything they use is gone; topics before it.
  ClientHandle client_;
  std::map<std::string, TopicHandle> topics_;
};

}  // namespace semel::kafka
