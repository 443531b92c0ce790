#include "stream/batch_state.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <optional>
#include <utility>

#include <semel/failed.hpp>

#include "state/stages.hpp"

namespace semel::stream {

namespace {

using state::prefix_of;
using state::shape_key;

// Stored: do not change.
std::string description(const detail::StateText& text) {
  return fmt::format("{} {}", text.encoding, text.shape);
}

template <class T>
T or_throw(Result<T> result) {
  if (!result) throw Failed(result.error());
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

/// How each stage keeps its state, by the stage's name. What is prepared counts, too: it becomes
/// the state where an output has it.
Result<std::map<std::string, std::string>> shapes_in(const state::Store& store) {
  std::map<std::string, std::string> shapes;
  std::string from;
  for (bool more = true; more;) {
    std::optional<std::string> name;
    auto found = store.scan(from, [&](std::string_view key, std::string_view) {
      name = std::string(key.substr(0, key.find('\0')));
      return false;
    });
    if (!found) return tl::unexpected(found.error());
    more = name.has_value();
    if (!more) break;
    auto shape = store.get(prefix_of(*name) + std::string(shape_key));
    if (!shape) return tl::unexpected(shape.error());
    shapes[*name] = shape->value_or("");
    from = *name + '\1';
  }
  const auto stored = store.stored();
  if (!stored.prepared || stored.prepared->parent != stored.base) return shapes;
  const auto prepared = store.prepared_delta();
  if (!prepared) return tl::unexpected(prepared.error());
  for (const auto& [key, value] : *prepared) {
    auto name = key.substr(0, key.find('\0'));
    if (value && key == prefix_of(name) + std::string(shape_key)) {
      shapes.emplace(std::move(name), *value);
    }
  }
  return shapes;
}

}  // namespace

class BatchState::OfStage final : public detail::StateOfStage {
 public:
  OfStage(const std::string& name, const state::Store& store, state::Delta& delta)
      : prefix_(prefix_of(name)), store_(store), delta_(delta) {}

  std::optional<std::string> get(std::string_view key) override {
    const auto whole = prefix_ + std::string(key);
    if (const auto changed = delta_.find(whole); changed != delta_.end()) return changed->second;
    return or_throw(store_.get(whole));
  }
  void put(std::string_view key, std::string_view value) override {
    delta_.insert_or_assign(prefix_ + std::string(key), std::string(value));
  }
  void erase(std::string_view key) override {
    delta_.insert_or_assign(prefix_ + std::string(key), std::nullopt);
  }

  void scan(std::string_view from,
            const std::function<bool(std::string_view, std::string_view)>& see) override {
    const auto first = prefix_ + std::string(from);
    auto changed = delta_.lower_bound(first);
    bool more = true;
    const auto see_own = [&](std::string_view key, std::string_view value) {
      more = key.starts_with(prefix_) && see(key.substr(prefix_.size()), value);
      return more;
    };
    // What the batch has changed below `key`, and at it.
    const auto changed_before = [&](std::optional<std::string_view> key) {
      while (more && changed != delta_.end() && (!key || changed->first < *key)) {
        if (changed->second) see_own(changed->first, *changed->second);
        ++changed;
      }
    };
    or_throw(store_.scan(first, [&](std::string_view key, std::string_view value) {
      changed_before(key);
      if (!more) return false;
      if (changed != delta_.end() && changed->first == key) {
        if (changed->second) see_own(key, *changed->second);
        ++changed;
        return more;
      }
      return see_own(key, value);
    }));
    if (more) changed_before(std::nullopt);
  }

 private:
  std::string prefix_;
  const state::Store& store_;
  state::Delta& delta_;
};

BatchState::BatchState(const detail::Graph& graph, const state::Store& store)
    : graph_(graph), store_(store) {
  for (const auto& text : graph.states) {
    of_stages_.push_back(std::make_unique<OfStage>(graph.stages[text.stage].name, store, delta_));
    by_stage_[text.stage] = of_stages_.back().get();
  }
}

BatchState::~BatchState() = default;

void BatchState::clear() {
  delta_.clear();
}

void BatchState::forget(const std::vector<std::string>& stages) {
  for (const auto& name : stages) {
    const auto prefix = prefix_of(name);
    or_throw(store_.scan(prefix, [&](std::string_view key, std::string_view) {
      if (!key.starts_with(prefix)) return false;
      delta_.insert_or_assign(std::string(key), std::nullopt);
      return true;
    }));
  }
}

void BatchState::describe_stages() {
  for (const auto& text : graph_.states) {
    auto key = prefix_of(graph_.stages[text.stage].name) + std::string(shape_key);
    if (!or_throw(store_.get(key))) delta_.emplace(std::move(key), description(text));
  }
}

Result<std::vector<std::string>> stages_left(const detail::Graph& graph, const state::Store& store,
                                             const std::vector<std::string>& dropped, StateAt at) {
  // Of a state at its home only the program says what goes.
  const auto or_by_command = [at](const std::string& stage, std::string_view before) {
    return at == StateAt::home
               ? std::string()
               : fmt::format("{}`semel state FILE empty --stage '{}' --yes`", before, stage);
  };
  auto shapes = shapes_in(store);
  if (!shapes) return tl::unexpected(shapes.error());
  auto& kept = *shapes;
  for (const auto& text : graph.states) {
    const auto& name = graph.stages[text.stage].name;
    const auto found = kept.find(name);
    if (found == kept.end()) continue;
    if (found->second != description(text)) {
      return fail(
          ErrorKind::fatal, Cause::configuration,
          fmt::format("the state of stage {} was kept as \"{}\", and the stage keeps \"{}\": "
                      "its key or value has another type than before, or StateOptions::encoding "
                      "was raised. Give the stage another name and drop the old one, by "
                      "Setup::drop_state{}",
                      name, found->second, description(text),
                      or_by_command(name, "; or begin with it anew: ")));
    }
    kept.erase(found);
  }
  for (const auto& [name, shape] : kept) {
    if (std::ranges::find(dropped, name) == dropped.end()) {
      return fail(
          ErrorKind::fatal, Cause::configuration,
          fmt::format("there is state of a stage {}, and no stage of that name: give the stage "
                      "its name back, or drop the state, by Setup::drop_state{}",
                      name, or_by_command(name, " or by ")));
    }
  }
  std::vector<std::string> left;
  for (const auto& [name, shape] : kept) left.push_back(name);
  return left;
}

Result<void> check_stages(const detail::Graph& graph, state::Store& store,
                          const std::vector<std::string>& dropped) {
  const auto left = stages_left(graph, store, dropped, StateAt::here);
  if (!left) return tl::unexpected(left.error());
  for (const auto& name : *left) {
    if (auto removed = store.remove_all(prefix_of(name)); !removed) return removed;
  }
  return {};
}

}  // namespace semel::stream
