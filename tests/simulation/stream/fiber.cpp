#include "simulation/stream/fiber.hpp"

#include <utility>

namespace semel::stream_simulation {

namespace {

thread_local Fiber* current = nullptr;

}  // namespace

Fiber::~Fiber() {
  if (!thread_.joinable()) return;
  kill();
  over_ = true;
  go_.release();
  thread_.join();
}

void Fiber::run(std::function<void()> job) {
  if (!thread_.joinable()) {
    thread_ = std::thread([this] {
      current = this;
      for (go_.acquire(); !over_; go_.acquire()) work();
    });
  }
  job_ = std::move(job);
  busy_ = true;
  let_run();
}

void Fiber::work() {
  try {
    job_();
  } catch (const Killed&) {
    killed_ = false;
  } catch (...) {
    thrown_ = std::current_exception();
  }
  job_ = nullptr;
  busy_ = false;
  back_.release();
}

void Fiber::let_run() {
  go_.release();
  back_.acquire();
  if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
}

void Fiber::resume() {
  if (busy_) let_run();
}

void Fiber::kill() {
  if (!busy_) return;
  killed_ = true;
  go_.release();
  back_.acquire();
  thrown_ = nullptr;
}

void Fiber::pause() {
  if (current == nullptr) return;
  current->back_.release();
  current->go_.acquire();
  if (current->killed_) throw Killed{};
}

}  // namespace semel::stream_simulation
