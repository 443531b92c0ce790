#include "stream/receiving.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

namespace semel::stream {

namespace {

constexpr auto first_pause = std::chrono::milliseconds(100);
constexpr auto longest_pause = std::chrono::milliseconds(10'000);

std::string why_it_ended(Receiver& receiver, Inbox& inbox) {
  try {
    const auto ended = receiver.run(inbox);
    return ended ? "it has returned" : ended.error().message;
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "it threw something that is no std::exception";
  }
}

}  // namespace

Receiving::Receiving(std::vector<One> all, Log log) : all_(std::move(all)), log_(std::move(log)) {
  for (const auto& one : all_) {
    tell_writes(one);
    threads_.emplace_back([this, &one] { run(one); });
  }
}

Receiving::~Receiving() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (const auto& one : all_) one.log->stop();
  for (const auto& one : all_) one.receiver->stop();
  for (auto& thread : threads_) thread.join();
}

void Receiving::tell_writes(const One& one) const {
  one.log->on_written([this, name = one.name,
                       told = std::make_shared<std::string>()](const auto& written) {
    const auto why = written ? std::string() : written.error().message;
    if (why == std::exchange(*told, why)) return;
    if (written) {
      log_.warn("receiver {}: what comes is kept again", name);
    } else {
      log_.warn("receiver {}: nothing is kept: {}; senders are refused until it works", name, why);
    }
  });
}

void Receiving::run(const One& one) {
  std::string told;
  for (auto pause = first_pause;; pause = std::min(pause * 2, longest_pause)) {
    const auto began = std::chrono::steady_clock::now();
    const auto why = why_it_ended(*one.receiver, *one.log);
    if (std::chrono::steady_clock::now() - began > longest_pause) {
      pause = first_pause;
      told.clear();
    }
    std::unique_lock lock(mutex_);
    if (stopping_) return;
    if (why != std::exchange(told, why)) {
      log_.warn("receiver {}: {}; it is tried again until it works", one.name, why);
    }
    if (changed_.wait_for(lock, pause, [this] { return stopping_; })) return;
  }
}

}  // namespace semel::stream
