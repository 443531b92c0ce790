// Whose trouble a client's trouble is.
#pragma once

#include <utility>

#include <semel/error.hpp>

namespace semel::kafka_sink {

/// An error of a client of Kafka, said of the sink.
inline Error of_sink(Error error) {
  if (error.cause == Cause::source || error.cause == Cause::data_loss) error.cause = Cause::sink;
  return error;
}

}  // namespace semel::kafka_sink
