#include <semel/stream/graph.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <exception>
#include <variant>

#include <semel/failed.hpp>
#include <semel/stream/nodes.hpp>
#include <semel/stream/state.hpp>
#include <semel/stream/windows.hpp>

namespace semel::stream::detail {

namespace {

[[noreturn]] void misused(std::string what) {
  throw Failed({ErrorKind::fatal, Cause::program, std::move(what)});
}

}  // namespace

StageId Graph::add(std::string_view kind, std::string_view name, std::vector<StageId> reads,
                   bool one_to_one) {
  const auto of_kind =
      1 + std::ranges::count_if(stages, [&](const auto& stage) { return stage.kind == kind; });
  auto text = name.empty() ? fmt::format("{} {}", kind, of_kind) : std::string(name);
  if (std::ranges::any_of(stages, [&](const auto& stage) { return stage.name == text; })) {
    misused(
        fmt::format("two stages are called {}: each has a name of its own, by which dead "
                    "letters tell where they come from",
                    text));
  }
  stages.push_back({std::string(kind), std::move(text), std::move(reads), one_to_one});
  return stages.size() - 1;
}

StageId Graph::add_state(std::string_view kind, std::string_view name, StageId reads,
                         StateText text) {
  if (name.empty()) misused(fmt::format("{} has no name: its state is kept under it", kind));
  if (name.find('\0') != std::string_view::npos) {
    misused(fmt::format("the name of a {} has a zero byte in it", kind));
  }
  text.stage = add(kind, name, {reads}, false);
  states.push_back(std::move(text));
  return states.back().stage;
}

void Graph::add_output(OutputRecipe recipe) {
  if (std::ranges::any_of(outputs,
                          [&](const auto& other) { return other.output == recipe.output; })) {
    misused(
        fmt::format("two streams lead to output {}: make them one by union_with()", recipe.output));
  }
  if (outputs.size() == outputs_max) {
    misused(fmt::format("a pipeline has {} outputs at most", outputs_max));
  }
  outputs.push_back(std::move(recipe));
}

void check_windows(const Slide& slide) {
  if (slide.every_ms <= 0 || slide.length_ms <= 0 || slide.length_ms % slide.every_ms != 0) {
    misused(
        fmt::format("a window of {} ms each {} ms: its length is a multiple of that, and both are "
                    "more than 0",
                    slide.length_ms, slide.every_ms));
  }
}

void check_windows(const Windows& windows) {
  if (const auto* sliding = std::get_if<Sliding>(&windows)) {
    check_windows(Slide{sliding->size_ms, sliding->every_ms});
    return;
  }
  const auto* tumbling = std::get_if<Tumbling>(&windows);
  const auto size = tumbling != nullptr ? tumbling->size_ms : std::get<Session>(windows).gap_ms;
  if (size <= 0) misused(fmt::format("a window of {} ms: it is more than 0", size));
}

void check_windows(const EventTime& event_time) {
  constexpr std::int64_t longest = 36'500LL * 86'400'000;
  for (const auto ms : {event_time.delay_ms, event_time.lateness_ms, event_time.ahead_ms}) {
    if (ms >= 0 && ms <= longest) continue;
    misused(fmt::format("a time of {} ms to wait for records: from 0 to 100 years", ms));
  }
}

StateOfStage::~StateOfStage() = default;

void batch_function_threw(std::string_view stage) {
  const auto failed = [&](std::string_view what) {
    throw Failed({ErrorKind::fatal, Cause::program,
                  fmt::format("{} threw: {}. It was given a whole batch, so no record can be set "
                              "aside instead; nothing of the batch is stored",
                              stage, what)});
  };
  try {
    throw;
  } catch (const Bad& bad) {
    failed(bad.reason);
  } catch (const Failed&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    failed(error.what());
  } catch (...) {
    failed("something that is no std::exception");
  }
  std::terminate();
}

}  // namespace semel::stream::detail
