// Receivers at work.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <semel/stream/receiver.hpp>

#include "base/log.hpp"
#include "source/intake.hpp"

namespace semel::stream {

/// Each in a thread of its own, with its log; begun again after a while where it fails.
class Receiving {
 public:
  struct One {
    std::string name;  ///< for people
    std::shared_ptr<Receiver> receiver;
    std::shared_ptr<source::Intake> log;
  };

  /// They receive from now on.
  Receiving(std::vector<One> all, Log log);
  /// First the logs: what they have taken is on disk and acknowledged. Then the receivers.
  ~Receiving();
  Receiving(const Receiving&) = delete;
  Receiving& operator=(const Receiving&) = delete;

 private:
  void run(const One& one);
  /// Senders are told that nothing was kept, and only we know why.
  void tell_writes(const One& one) const;

  std::vector<One> all_;
  Log log_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;  ///< guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace semel::stream
