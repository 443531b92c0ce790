#include "kafka_sink/dead_letter.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/clean_text.hpp"
#include "kafka_sink/target.hpp"

namespace semel::kafka_sink {

namespace {

// Stored: do not change. The names of headers.
constexpr std::string_view pipeline_header = "semel.pipeline";
constexpr std::string_view output_header = "semel.output";
constexpr std::string_view topic_header = "semel.topic";
constexpr std::string_view partition_header = "semel.partition";
constexpr std::string_view offset_header = "semel.offset";
constexpr std::string_view timestamp_header = "semel.timestamp";
constexpr std::string_view batch_header = "semel.batch_time";
constexpr std::string_view code_header = "semel.code";
constexpr std::string_view reason_header = "semel.reason";
constexpr std::string_view cut_header = "semel.cut";

constexpr std::size_t reason_bytes_max = 1'000;

}  // namespace

DeadLetter::DeadLetter(const Owner& owner, const Task& task, const Record& record,
                       const record::BadRecord& bad, std::int64_t bytes_max)
    : record_(record) {
  record.headers.read_into(headers_);
  theirs_ = headers_.size();
  say(pipeline_header, owner.pipeline);
  say(output_header, owner.output);
  say(topic_header, task.range.tp.topic);
  say(partition_header, std::to_string(task.range.tp.partition));
  say(offset_header, std::to_string(record.offset));
  if (record.timestamp_ms >= 0) say(timestamp_header, std::to_string(record.timestamp_ms));
  say(batch_header, std::to_string(task.time.ms));
  say(code_header, bad.code);
  say(reason_header, sanitise(bad.reason, reason_bytes_max));
  fit(bytes_max);
  for (const auto& [name, text] : said_) headers_.push_back({name, text});
}

void DeadLetter::say(std::string_view name, std::string text) {
  said_.emplace_back(name, std::move(text));
}

/// The value goes first: who it was is in the key and the headers.
void DeadLetter::fit(std::int64_t bytes_max) {
  std::vector<Header> ours;
  for (const auto& [name, text] : said_) ours.push_back({name, text});
  // For what is said of the cut itself, and for lengths.
  constexpr std::int64_t spare = 500;
  const auto room = std::max<std::int64_t>(bytes_max - bytes_of({}, ours) - spare, 0);
  auto left = room;
  const auto cut = [&](std::string_view what, std::optional<std::string_view>& part) {
    const auto size = static_cast<std::int64_t>(part ? part->size() : 0);
    if (size > left) {
      say(cut_header, fmt::format("{}: the first {} of {} bytes", what, left, size));
      part = part->substr(0, static_cast<std::size_t>(left));
    }
    left -= std::min(size, left);
  };
  cut("key", record_.key);
  const auto headers = bytes_of({}, {headers_.data(), theirs_});
  if (theirs_ > 0 && headers > left) {
    say(cut_header, fmt::format("{} headers, of {} bytes in all", theirs_, headers));
    headers_.clear();
    theirs_ = 0;
  } else if (theirs_ > 0) {
    left -= headers;
  }
  cut("value", record_.value);
}

kafka::Outgoing DeadLetter::outgoing() const {
  // When it was set aside: its own timestamp may be what is wrong with it.
  return {.partition = 0, .key = record_.key, .value = record_.value, .headers = headers_};
}

void Origin::add(const TopicPartition& tp, Offset offset, std::vector<Header>& headers) {
  topic_ = tp.topic;
  partition_ = std::to_string(tp.partition);
  offset_ = std::to_string(offset);
  headers.push_back({topic_header, topic_});
  headers.push_back({partition_header, partition_});
  headers.push_back({offset_header, offset_});
}

bool is_dead_letter_of(const std::vector<Header>& headers, const std::string& pipeline,
                       const std::string& output) {
  const auto says = [&](std::string_view name, const std::string& text) {
    // The record may have been a dead letter before: ours come last.
    const auto found = std::find_if(headers.rbegin(), headers.rend(),
                                    [&](const Header& header) { return header.name == name; });
    return found != headers.rend() && found->value == text;
  };
  return says(pipeline_header, pipeline) && says(output_header, output);
}

}  // namespace semel::kafka_sink
