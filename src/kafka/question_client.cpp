#include "kafka/question_client.hpp"

#include <utility>

#include "kafka/client_config.hpp"

namespace semel::kafka {

namespace {

constexpr int timeout_ms = 1'000;

}  // namespace

QuestionClient::QuestionClient(Options options, std::string pipeline)
    : options_(std::move(options)), pipeline_(std::move(pipeline)) {}

Result<Client*> QuestionClient::client() {
  if (!client_) {
    auto conf = question_config(options_, pipeline_);
    if (!conf) return tl::unexpected(conf.error());
    auto made = Client::create(*std::move(conf), RD_KAFKA_CONSUMER, options_);
    if (!made) return tl::unexpected(made.error());
    client_ = *std::move(made);
    client_->expect_cluster(options_.cluster_id);
  }
  client_->poll();
  return client_.get();
}

template <class Ask>
auto QuestionClient::ask(Ask&& what) -> decltype(what(std::declval<Client&>())) {
  const auto asking = client();
  if (!asking) return tl::unexpected(asking.error());
  auto answer = what(**asking);
  answered_ = answer.has_value();
  outage_ = !answered_ && client_->connections_fail();
  return answer;
}

Result<void> QuestionClient::same_cluster() const {
  return client_ ? client_->same_cluster() : Result<void>{};
}

Result<TopicState> QuestionClient::topic(const std::string& name) {
  return ask([&](Client& client) { return ask_topic(client, name, timeout_ms); });
}

Result<LogEnds> QuestionClient::ends(const TopicPartition& tp) {
  return ask([&](Client& client) -> Result<LogEnds> {
    const auto first = ask_offsets(client, {&tp, 1}, earliest_timestamp, timeout_ms);
    if (!first) return tl::unexpected(first.error());
    const auto last = ask_offsets(client, {&tp, 1}, latest_timestamp, timeout_ms);
    if (!last) return tl::unexpected(last.error());
    return LogEnds{first->at(tp), last->at(tp)};
  });
}

}  // namespace semel::kafka
