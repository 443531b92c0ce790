#include "source/intake.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/crash_point.hpp"

namespace semel::source {

namespace {

// What waits to be written, and who brings more waits, too.
constexpr std::size_t waiting_bytes_max = 16 << 20;

std::size_t size_of(const Intake::Entries& records) {
  std::size_t size = 0;
  for (const auto& record : records) {
    size += record.value.size() + (record.key ? record.key->size() : 0) + 64;
  }
  return size;
}

}  // namespace

bool is_new(const Senders& kept, Senders& highest, const stream::Received& record) {
  if (record.sender.empty() || record.sequence == 0) return true;
  const auto before = kept.find(record.sender);
  auto& last =
      highest.try_emplace(record.sender, before == kept.end() ? 0 : before->second).first->second;
  if (record.sequence <= last) return false;
  last = record.sequence;
  return true;
}

Intake::Intake(stream::ReceiverOptions options)
    : options_(std::move(options)),
      tokens_(static_cast<double>(options_.records_per_second)),
      filled_(Clock::now()) {}

Intake::~Intake() = default;

void Intake::begin() {
  thread_ = std::thread([this] { run(); });
}

void Intake::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Intake::on_written(OnWritten call) {
  const std::lock_guard lock(mutex_);
  on_written_ = std::move(call);
}

Result<void> Intake::fits(const Entries& /*records*/) const {
  return {};
}

bool Intake::has_place(std::int64_t /*waiting*/) const {
  return true;
}

bool Intake::has_work() const {
  return false;
}

bool Intake::has_room() {
  const auto now = Clock::now();
  if (options_.records_per_second > 0) {
    const auto rate = static_cast<double>(options_.records_per_second);
    tokens_ = std::min(rate, tokens_ + rate * std::chrono::duration<double>(now - filled_).count());
    filled_ = now;
    if (tokens_ < 1) return false;
  }
  return waiting_bytes_ < waiting_bytes_max && has_place(waiting_records_);
}

bool Intake::store(std::vector<stream::Received> records, Durable durable) {
  return take(std::nullopt, std::move(records), std::move(durable));
}

bool Intake::store_behind(std::uint64_t failures, Entries records, Durable durable) {
  return take(failures, std::move(records), std::move(durable));
}

std::uint64_t Intake::failures() {
  const std::lock_guard lock(mutex_);
  return failures_;
}

bool Intake::take(std::optional<std::uint64_t> failures, Entries records, Durable durable) {
  if (const auto fit = fits(records); !fit || records.empty()) {
    durable(fit);
    return true;
  }
  std::unique_lock lock(mutex_);
  const auto hides = [&] { return failures && *failures != failures_; };
  while (!stopping_ && !hides() && !has_room()) {
    // Tokens come without anybody's doing.
    changed_.wait_for(lock, std::chrono::milliseconds(20));
  }
  if (stopping_) return false;
  if (hides()) {
    lock.unlock();
    durable(fail(ErrorKind::unavailable, Cause::source, "what came before was not kept"));
    return true;
  }
  tokens_ -= static_cast<double>(records.size());
  waiting_records_ += static_cast<std::int64_t>(records.size());
  waiting_bytes_ += size_of(records);
  waiting_.push_back({std::move(records), std::move(durable)});
  lock.unlock();
  changed_.notify_all();
  return true;
}

void Intake::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty() || has_work(); });
    if (waiting_.empty() && stopping_) return;
    auto group = std::exchange(waiting_, {});
    lock.unlock();
    const auto written = write(group);
    crash_point("received_written");
    lock.lock();
    if (!written) {
      ++failures_;
      std::ranges::move(std::exchange(waiting_, {}), std::back_inserter(group));
    }
    for (const auto& [records, durable] : group) {
      waiting_records_ -= static_cast<std::int64_t>(records.size());
      waiting_bytes_ -= size_of(records);
    }
    const auto tell = on_written_;
    lock.unlock();
    if (tell) tell(written);
    for (const auto& [records, durable] : group) durable(written);
    changed_.notify_all();
    lock.lock();
  }
}

}  // namespace semel::source
