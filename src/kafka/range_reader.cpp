#include "kafka/range_reader.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "kafka/client_config.hpp"
#include "kafka/cluster_questions.hpp"
#include "kafka/range_session.hpp"

namespace semel::kafka {

namespace {

constexpr int meeting_timeout_ms = 500;

}  // namespace

struct RangeReader::Impl {
  std::unique_ptr<Client> client;
  std::optional<QuestionClient> questions;
  QueueLimits limits;
  std::map<TopicPartition, std::unique_ptr<RangeSession>> sessions;
  RangeSession* current = nullptr;
  /// Those that may be fetching: as many as there are queues for, however many partitions are read.
  std::vector<RangeSession*> fetching;
  std::set<std::string, std::less<>> met;  ///< topics whose first partition's leader is known
  Messages messages;                       ///< what the records of the last step are views into
  std::vector<Record> records;
  /// The client's doubts when it was last certain which cluster answers.
  std::optional<std::uint64_t> certain_at;

  RangeSession& session_of(const TopicPartition& tp);
  void release() {
    records.clear();
    messages.clear();
  }
  Result<void> same_cluster();
  bool make_room_for(const RangeSession& next);
  void will_fetch(RangeSession& session);
  void meet(const TopicPartition& tp);
};

RangeReader::RangeReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RangeReader::~RangeReader() = default;

Result<std::unique_ptr<RangeReader>> RangeReader::connect(const Options& options,
                                                          const std::string& pipeline) {
  auto conf = reader_config(options, pipeline);
  if (!conf) return tl::unexpected(conf.error());
  auto client = Client::create(*std::move(conf), RD_KAFKA_CONSUMER, options);
  if (!client) return tl::unexpected(client.error());
  auto impl = std::make_unique<Impl>();
  impl->client = *std::move(client);
  impl->client->expect_cluster(options.cluster_id);
  impl->questions.emplace(options, pipeline);
  impl->limits = queue_limits(*impl->client);
  impl->limits.wake_fd = options.wake_fd;
  return std::unique_ptr<RangeReader>(new RangeReader(std::move(impl)));
}

/// Makes room for one more partition to fetch, besides `next` itself. False: all that fetch are
/// current or expected.
bool RangeReader::Impl::make_room_for(const RangeSession& next) {
  std::erase_if(fetching, [](const RangeSession* session) { return !session->fetching(); });
  int queues = 1;
  RangeSession* latest = nullptr;
  for (auto* session : fetching) {
    if (session == &next) continue;
    ++queues;
    if (session == current || session->expected()) continue;
    if (latest == nullptr || session->last_moved() > latest->last_moved()) latest = session;
  }
  if (queues <= full_queues_in_budget) return true;
  // Partitions take turns: the one that was read last is the last one to be read again.
  if (latest != nullptr) latest->stop();
  return latest != nullptr;
}

/// After a lost connection another cluster may answer, and its records come before its id does:
/// then it is asked for.
Result<void> RangeReader::Impl::same_cluster() {
  const auto doubts = client->doubts();
  if (certain_at && *certain_at != doubts) {
    if (const auto asked = questions->topic(current->tp().topic); !asked) {
      return tl::unexpected(asked.error());
    }
  }
  certain_at = doubts;
  if (auto same = client->same_cluster(); !same) return same;
  return questions->same_cluster();
}

void RangeReader::Impl::will_fetch(RangeSession& session) {
  if (std::ranges::find(fetching, &session) == fetching.end()) fetching.push_back(&session);
}

/// Finds the partition's leader and connects to it before the first fetch does. librdkafka asks for
/// metadata on the way, and a question for metadata while records come is a doubt
/// (Client::doubts()) for which a range is fetched again: where a fetch takes long, the first one
/// would take twice as long. Not while others are being fetched: it would wait behind them. What
/// fails here is found out by the fetch.
void RangeReader::Impl::meet(const TopicPartition& tp) {
  if (std::ranges::any_of(fetching, [](const auto* session) { return session->fetching(); }))
    return;
  if (!met.insert(tp.topic).second) return;
  if (client->topic(tp.topic) == nullptr) return;
  if (!ask_topic(*client, tp.topic, meeting_timeout_ms)) return;
  (void)ask_offsets(*client, {&tp, 1}, latest_timestamp, meeting_timeout_ms);
}

RangeSession& RangeReader::Impl::session_of(const TopicPartition& tp) {
  auto& session = sessions[tp];
  if (!session) session = std::make_unique<RangeSession>(*client, *questions, tp, limits);
  return *session;
}

Result<void> RangeReader::begin(const OffsetRange& range, const std::optional<RecordMark>& last,
                                bool recheck) {
  impl_->release();
  impl_->client->poll();
  auto& session = impl_->session_of(range.tp);
  impl_->current = &session;
  impl_->make_room_for(session);
  impl_->meet(range.tp);
  impl_->will_fetch(session);
  return session.begin(range, last, recheck);
}

void RangeReader::expect(const OffsetRange& range, const std::optional<RecordMark>& last,
                         bool recheck) {
  auto& session = impl_->session_of(range.tp);
  if (&session == impl_->current || !impl_->make_room_for(session)) return;
  impl_->meet(range.tp);
  impl_->will_fetch(session);
  session.expect(range, last, recheck);
}

Result<ReadStep> RangeReader::read(std::size_t max_records, int wait_ms) {
  auto& self = *impl_;
  self.release();
  self.client->poll();
  if (self.current == nullptr) {
    return fail(ErrorKind::fatal, Cause::internal, "RangeReader::read() without begin()");
  }
  const auto end = self.current->read(max_records, wait_ms, self.messages, self.records);
  if (!end || *end) {
    // Before anything is made of what was read, or of what is missing.
    if (auto same = self.same_cluster(); !same) return tl::unexpected(same.error());
  }
  if (!end) return tl::unexpected(end.error());
  return ReadStep{self.records, *end};
}

bool RangeReader::kafka_answers() const {
  return impl_->questions->answered();
}

std::optional<LostRange> RangeReader::lost() const {
  return impl_->current != nullptr ? impl_->current->lost() : std::nullopt;
}

void RangeReader::forget(const TopicPartition& tp) {
  const auto found = impl_->sessions.find(tp);
  if (found == impl_->sessions.end()) return;
  if (impl_->current == found->second.get()) {
    impl_->release();
    impl_->current = nullptr;
  }
  std::erase(impl_->fetching, found->second.get());
  impl_->sessions.erase(found);
}

}  // namespace semel::kafka
