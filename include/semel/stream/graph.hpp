// What a pipeline consists of, as people see it: its stages, and which reads from which.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <semel/api.hpp>
#include <semel/stream/run.hpp>

namespace semel::stream::detail {

struct StageText {
  std::string kind;  ///< "map"
  std::string name;  ///< the user's, or "map 2"
  std::vector<StageId> reads;
  bool one_to_one = false;  ///< what comes of a record is one item, at the record's offset, or none
};

/// Of one output: puts together all that leads there.
struct OutputRecipe {
  std::string output;
  StageId stage = 0;
  std::function<void(Run&)> build;
  bool by_record = false;  ///< each row has the offset of its record
};

/// What a stage remembers.
struct StateText {
  StageId stage = 0;
  std::string shape;           ///< of keys and values, as they are encoded
  std::uint32_t encoding = 1;  ///< StateOptions::encoding
  bool by_time = false;        ///< it moves on in batches without records, too
};

/// Of one pipeline; its streams share it.
struct SEMEL_API Graph {
  /// `name`: the user's, or empty. Throws Failed (Cause::program) where another stage has it, and,
  /// as the others do, once the graph is closed.
  StageId add(std::string_view kind, std::string_view name, std::vector<StageId> reads,
              bool one_to_one);
  /// Throws Failed where the output has a stream already, and beyond 64 outputs.
  void add_output(OutputRecipe recipe);
  /// A stage that keeps its state under its name. Throws Failed without a name of the user's.
  StageId add_state(std::string_view kind, std::string_view name, StageId reads, StateText text);

  std::vector<StageText> stages;
  std::vector<StateText> states;
  std::vector<OutputRecipe> outputs;
  std::size_t shared = 0;  ///< streams that are shared
  /// What runs has other threads reading all this: nothing is added any more.
  std::atomic<bool> closed{false};

 private:
  void check_open() const;
};

}  // namespace semel::stream::detail
