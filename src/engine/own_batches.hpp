// What the public header calls the batches that are counted, in the driver's words.
#pragma once

#include <semel/pipeline.hpp>

#include "core/batch_clock.hpp"

namespace semel::engine {

inline core::BatchClock clock_of(OwnOutput::Batches batches) {
  switch (batches) {
    case OwnOutput::Batches::with_records:
      return core::BatchClock::with_records;
    case OwnOutput::Batches::each_interval:
      return core::BatchClock::each_interval;
    case OwnOutput::Batches::not_counted:
      break;
  }
  return core::BatchClock::none;
}

}  // namespace semel::engine
