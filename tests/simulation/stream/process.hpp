// One running program: the real driver, outputs, sessions and store, each call of which may be
// stopped anywhere, and an engine of values around them.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/driver.hpp"
#include "simulation/stream/fiber.hpp"
#include "simulation/stream/program.hpp"
#include "simulation/stream/world.hpp"
#include "state/store.hpp"
#include "stream/outputs.hpp"

namespace semel::stream_simulation {

class Process {
 public:
  /// On a machine that nobody has. Takes its lock.
  Process(World& world, std::string id, std::size_t machine);
  ~Process();

  /// Does one thing.
  void advance(std::int64_t now_ms);
  /// SIGKILL, or no power.
  void kill();

  const std::string& id() const { return id_; }
  std::size_t machine() const { return machine_; }
  bool over() const { return over_; }
  const std::optional<Error>& error() const { return error_; }
  bool running() const { return state_.phase == core::Phase::running; }

  bool paused = false;

 private:
  using Job = std::function<void()>;

  void boot();
  Result<void> open();
  void take_over(std::vector<core::Batch> recovered);
  void enter(const std::vector<Progress>& starts);
  void resolve(const std::vector<Task>& tasks);
  void keep_alive();
  /// As the engine's keeper: until it succeeds, or never can.
  template <class Attempt>
  void until_done(Attempt attempt);
  void execute(const std::vector<Task>& tasks);
  core::EventBody attempt(const std::vector<Task>& tasks);

  void step(core::EventBody body);
  void obey(core::Action& action);
  void answer();
  void finish(std::optional<Error> error);
  void close();
  Machine& machine_of() { return world_.machines[machine_]; }

  World& world_;
  std::string id_;
  std::size_t machine_;
  std::int64_t now_ms_ = 0;
  core::DriverState state_;
  Program program_;
  std::shared_ptr<state::Store> store_;
  std::unique_ptr<stream::Outputs> outputs_;
  std::unique_ptr<SinkSession> session_;

  std::deque<core::EventBody> inbox_;
  std::deque<Job> to_keep_;     ///< the ledger keeper's jobs
  std::deque<Job> to_execute_;  ///< the executor's
  std::optional<core::AskOffsets> asked_;
  std::uint32_t turn_ = 0;
  bool over_ = false;
  std::optional<Error> error_;
  Fiber keeper_;
  Fiber executor_;
};

}  // namespace semel::stream_simulation
