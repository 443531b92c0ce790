#include <exception>
#include <future>
#include <thread>

#include "contract/rules.hpp"

namespace semel::contract {

struct InThread::State {
  std::packaged_task<void()> task;
  std::future<void> end;
  std::thread thread;
};

InThread::InThread(std::function<void()> call, std::chrono::milliseconds hangs_after)
    : state_(std::make_shared<State>()), hangs_after_(hangs_after) {
  state_->task = std::packaged_task<void()>(std::move(call));
  state_->end = state_->task.get_future();
  state_->thread = std::thread([state = state_] {
    state->task();
    state->task = {};
  });
}

InThread::~InThread() {
  if (ended()) return;
  state_->thread.detach();
}

bool InThread::ended() {
  if (!state_->thread.joinable()) return true;
  if (state_->end.valid() && state_->end.wait_for(hangs_after_) != std::future_status::ready) {
    return false;
  }
  state_->thread.join();
  return true;
}

void InThread::end(std::string_view what) {
  if (!ended()) {
    state_->thread.detach();
    throw Broken(std::string(what) + " hangs: it has not returned after " +
                 std::to_string(hangs_after_.count()) + " ms");
  }
  state_->end.get();
}

}  // namespace semel::contract
