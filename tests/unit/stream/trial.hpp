// A pipeline's stages by themselves: records in, rows and dead letters out, batch by batch.
#pragma once

#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <semel/stream.hpp>

namespace semel::test {

using Values = std::vector<std::string>;

/// What came of one batch in one output.
struct Came {
  Values rows;     ///< their values, in order
  Values letters;  ///< "offset: stage: reason", or "key: stage: reason"

  bool operator==(const Came&) const = default;
};

inline std::ostream& operator<<(std::ostream& out, const Came& came) {
  for (const auto& row : came.rows) out << "row " << row << '\n';
  for (const auto& letter : came.letters) out << "letter " << letter << '\n';
  return out;
}

class Trial {
 public:
  /// What a Pipeline's direct_stream() gives.
  stream::Stream<stream::Message, stream::detail::FromSource> source(std::string_view name = {}) {
    return {graph_, graph_->add("direct_stream", name, {}, true),
            stream::detail::FromSource{sources_++}};
  }

  /// Of one batch: a partition's values, as records at 0, 1, … of the source with that number. Each
  /// output's, in the order in which they were said.
  struct Input {
    std::size_t source = 0;
    Values values;
  };
  using States = std::map<stream::detail::StageId, stream::detail::StateOfStage*>;
  std::vector<Came> batch(const std::vector<Input>& inputs, std::int64_t time_ms = 1'000,
                          const States* states = nullptr) {
    if (!run_) put_together();
    const OffsetRange read{{"t", 0}, 0, 100};
    run_->begin_batch({{time_ms}, std::span(&read, 1)}, states);
    std::vector<Came> came(graph_->outputs.size());
    for (const auto& input : inputs) give(input, came);
    run_->finish();
    take_letters(came);
    for (std::size_t i = 0; i < came.size(); ++i) {
      if (!graph_->outputs[i].by_record) take_rows(i, came[i]);
    }
    return came;
  }
  /// Of the only output.
  Came one(const Values& values, std::int64_t time_ms = 1'000, const States* states = nullptr) {
    return batch({{0, values}}, time_ms, states).front();
  }
  /// The batch is computed only in part, and given up.
  void crash_within(const Values& values) {
    if (!run_) put_together();
    run_->begin_batch({});
    std::vector<Came> came(graph_->outputs.size());
    give({0, values}, came);
    run_->reset();
  }

  const stream::detail::Graph& graph() const { return *graph_; }

 private:
  void put_together() {
    run_.emplace();
    stream::detail::OutputSet one = 1;
    for (const auto& output : graph_->outputs) {
      run_->build(one);
      output.build(*run_);
      one <<= 1;
    }
  }
  void give(const Input& input, std::vector<Came>& came) {
    const TopicPartition tp{"t", 0};
    std::vector<Record> records;
    for (std::size_t i = 0; i < input.values.size(); ++i) {
      records.push_back({.offset = static_cast<Offset>(i), .value = input.values[i]});
    }
    run_->records(std::span(&input.source, 1), tp, records);
    take_letters(came);
    for (std::size_t i = 0; i < came.size(); ++i) {
      if (graph_->outputs[i].by_record) take_rows(i, came[i]);
    }
  }
  void take_rows(std::size_t output, Came& came) {
    auto& rows = run_->output(output).rows;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      came.rows.emplace_back(rows.row(i).value.value_or("(none)"));
    }
    rows.clear();
  }
  void take_letters(std::vector<Came>& came) {
    for (const auto& letter : run_->take_letters()) {
      const auto where =
          letter.origin != nullptr ? std::to_string(letter.origin->offset) : letter.key;
      for (std::size_t i = 0; i < came.size(); ++i) {
        if ((letter.outputs >> i & 1) == 0) continue;
        came[i].letters.push_back(where + ": " + graph_->stages[letter.stage].name + ": " +
                                  letter.reason);
      }
    }
  }

  std::shared_ptr<stream::detail::Graph> graph_ = std::make_shared<stream::detail::Graph>();
  std::size_t sources_ = 0;
  std::optional<stream::detail::Run> run_;
};

/// A record's value.
inline std::string text(const stream::Message& message) {
  return std::string(message.value());
}

/// The words of a record, by blanks.
inline void split(const stream::Message& message, auto& emit) {
  std::string word;
  for (const char c : message.value()) {
    if (c != ' ') {
      word += c;
    } else if (!word.empty()) {
      emit(std::exchange(word, {}));
    }
  }
  if (!word.empty()) emit(word);
}

}  // namespace semel::test
