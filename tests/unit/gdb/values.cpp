// Values for tools/semel_gdb.py to show. Compiled without optimisation, and never run to its end.
#include <semel/error.hpp>
#include <semel/sink.hpp>
#include <semel/types.hpp>

#include "core/driver.hpp"

namespace {

using namespace semel;

const TopicPartition tp{"clicks", 3};
const OffsetRange range{tp, 100, 250};
const BatchTime batch_time{1'700'000'000'000};
const RecordMark mark{99, 1'600'000'000'000, 0x0badcafe};
const Progress progress{tp, 100, batch_time, mark};
const Task task{.time = batch_time, .range = range, .epoch = 8, .recheck = true, .last = mark};
const LedgerEntry entry{.until = 250, .epoch = 8, .owner = "b7e1"};
const LedgerEntry missing{};
const Error error{ErrorKind::in_doubt, Cause::sink, "the reply was lost"};
const Result<int> good = 7;
const Result<void> fine{};
const Result<int> bad = tl::unexpected(error);

core::DriverState make_state() {
  core::DriverState state{core::DriverOptions{}};
  state.phase = core::Phase::running;
  state.epoch = 8;
  core::PartitionState partition;
  partition.committed = 100;
  partition.position = 250;
  partition.latest = 1'000;
  partition.queue.push_back({.time = batch_time, .planned = {range, TaskKind::load, {}}});
  partition.queue.back().stage = core::Stage::running;
  state.partitions[tp] = partition;
  state.partitions[{"views", 0}] = {};
  return state;
}

const core::DriverState state = make_state();

}  // namespace

/// Where the test stops.
void look() {
  asm volatile("" ::"r"(&tp), "r"(&range), "r"(&batch_time), "r"(&mark), "r"(&progress), "r"(&task)
               : "memory");
  asm volatile("" ::"r"(&entry), "r"(&missing), "r"(&error), "r"(&good), "r"(&fine), "r"(&bad),
               "r"(&state)
               : "memory");
}

int main() {
  look();
}
