// Whether a server answers.
#pragma once

#include <atomic>
#include <mutex>
#include <string>

namespace semel::metrics {

/// The last exchange with a server. Thread safe.
class Contact {
 public:
  void succeeded() {
    if (up_) return;
    const std::lock_guard lock(mutex_);
    up_ = true;
    why_.clear();
  }
  /// `why` holds no secret.
  void failed(const std::string& why) {
    const std::lock_guard lock(mutex_);
    up_ = false;
    why_ = why;
  }

  bool up() const { return up_; }
  /// What it failed by; empty: it is up, or was not asked anything yet.
  std::string why() const {
    const std::lock_guard lock(mutex_);
    return why_;
  }

 private:
  std::atomic<bool> up_{false};
  mutable std::mutex mutex_;
  std::string why_;
};

}  // namespace semel::metrics
