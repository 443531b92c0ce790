// Items with keys: what is done with all values of a key.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <semel/stream/state.hpp>
#include <semel/stream/stream.hpp>
#include <semel/stream/windows.hpp>

namespace semel::stream {

namespace detail {

/// Both sides through nodes that keep them, met by `meet`.
template <class K, class V, class W, class Left, class Right, class Meet>
struct FromBothSides {
  Left left;
  Right right;
  Meet meet;

  template <class Next>
  void operator()(Run& run, Next next) const {
    auto& of_left = side<V>(run, left);
    auto& of_right = side<W>(run, right);
    run.add(
        std::make_unique<MeetNode<K, V, W, Meet, Next>>(meet, of_left, of_right, std::move(next)));
  }

 private:
  template <class Value, class From>
  static Side<K, Value>& side(Run& run, const From& from) {
    auto node = std::make_unique<Side<K, Value>>();
    auto& kept = *node;
    from(run, Into<Side<K, Value>>{&kept});
    run.add(std::move(node));
    return kept;
  }
};

/// Of each key, in the order in which the keys came, left before right.
template <class K, class V, class W>
OrderedMap<K, std::pair<std::vector<V>, std::vector<W>>> grouped(
    std::vector<std::pair<K, V>>& left, std::vector<std::pair<K, W>>& right) {
  OrderedMap<K, std::pair<std::vector<V>, std::vector<W>>> all;
  const auto none = [] { return std::pair<std::vector<V>, std::vector<W>>(); };
  for (auto& [key, value] : left) {
    all.find_or_add(std::move(key), none).first->first.push_back(std::move(value));
  }
  for (auto& [key, value] : right) {
    all.find_or_add(std::move(key), none).first->second.push_back(std::move(value));
  }
  return all;
}

struct CoGroup {
  template <class K, class V, class W, class Next>
  void operator()(std::vector<std::pair<K, V>>& left, std::vector<std::pair<K, W>>& right,
                  Next& next, Run& run) const {
    auto all = grouped(left, right);
    for (auto& entry : all.entries()) {
      send(next, run, entry.key, std::move(entry.value));
    }
  }
};

struct InnerJoin {
  template <class K, class V, class W, class Next>
  void operator()(std::vector<std::pair<K, V>>& left, std::vector<std::pair<K, W>>& right,
                  Next& next, Run& run) const {
    auto all = grouped(left, right);
    for (const auto& entry : all.entries()) {
      for (const auto& v : entry.value.first) {
        for (const auto& w : entry.value.second) {
          send(next, run, entry.key, std::pair<V, W>(v, w));
        }
      }
    }
  }
};

struct LeftJoin {
  template <class K, class V, class W, class Next>
  void operator()(std::vector<std::pair<K, V>>& left, std::vector<std::pair<K, W>>& right,
                  Next& next, Run& run) const {
    auto all = grouped(left, right);
    for (const auto& entry : all.entries()) {
      for (const auto& v : entry.value.first) {
        const auto one = [&](std::optional<W> w) {
          send(next, run, entry.key, std::pair<V, std::optional<W>>(v, std::move(w)));
        };
        for (const auto& w : entry.value.second) one(w);
        if (entry.value.second.empty()) one(std::nullopt);
      }
    }
  }
};

}  // namespace detail

/// Items of type V, each with a key. As Stream: used once, and nothing runs before the pipeline
/// does. What is done by key is done within the batch; keys come in the order in which they were
/// first seen in it, partition by partition.
template <class K, class V, class From>
class [[nodiscard]] Keyed {
 public:
  using Key = K;    ///< of each item
  using Value = V;  ///< of each item

  /// f(const V&) returns U, or `Step<U>`; keys stay.
  template <class F>
  auto map_values(F f, std::string_view name = {}) && {
    using U = detail::unstepped<std::invoke_result_t<F&, const V&>>;
    const auto stage = add("map_values", name, true);
    return keyed<U>(
        detail::Through<From, F, detail::MapValuesStage>{std::move(from_), std::move(f), stage},
        stage);
  }

  /// Those for which p(const K&, const V&) is true.
  template <class P>
  auto filter(P p, std::string_view name = {}) && {
    const auto stage = add("filter", name, true);
    return keyed<V>(
        detail::Through<From, P, detail::FilterPairStage>{std::move(from_), std::move(p), stage},
        stage);
  }

  /// A stream without keys: f(const K&, const V&) returns U, or `Step<U>`.
  template <class F>
  auto map(F f, std::string_view name = {}) && {
    using U = detail::unstepped<std::invoke_result_t<F&, const K&, const V&>>;
    const auto stage = add("map", name, true);
    using Through = detail::Through<From, F, detail::MapPairStage>;
    return Stream<U, Through>(graph_, stage, Through{std::move(from_), std::move(f), stage});
  }

  /// One value for each key: f(const V&, const V&) returns V, whatever the order of the values.
  /// Where it throws, the key's values of this batch become one dead letter, without an offset.
  template <class F>
  auto reduce_by_key(F f, std::string_view name = {}) && {
    static_assert(Owns<V>, "reduce_by_key keeps values: they may hold no view");
    const auto stage = add("reduce_by_key", name, false);
    auto make = [f = std::move(f), stage](auto next) {
      return std::make_unique<detail::ReduceNode<K, V, F, decltype(next)>>(f, stage,
                                                                           std::move(next));
    };
    return keyed<V>(through(std::move(make)), stage);
  }

  /// All values of each key, in the order in which they came.
  auto group_by_key(std::string_view name = {}) && {
    static_assert(Owns<V>, "group_by_key keeps values: they may hold no view");
    const auto stage = add("group_by_key", name, false);
    auto make = [](auto next) {
      return std::make_unique<detail::GroupNode<K, V, decltype(next)>>(std::move(next));
    };
    return keyed<std::vector<V>>(through(std::move(make)), stage);
  }

  /// Each value of this with each value of `other` that has the same key in the same batch.
  template <class W, class Other>
  auto join(Keyed<K, W, Other> other, std::string_view name = {}) && {
    return meet<std::pair<V, W>>("join", std::move(other), detail::InnerJoin(), name);
  }

  /// As join(); a value whose key `other` has not comes once, with std::nullopt.
  template <class W, class Other>
  auto left_join(Keyed<K, W, Other> other, std::string_view name = {}) && {
    return meet<std::pair<V, std::optional<W>>>("left_join", std::move(other), detail::LeftJoin(),
                                                name);
  }

  /// Of each key that is in one of both, all values of this and all of `other`.
  template <class W, class Other>
  auto cogroup(Keyed<K, W, Other> other, std::string_view name = {}) && {
    return meet<std::pair<std::vector<V>, std::vector<W>>>("cogroup", std::move(other),
                                                           detail::CoGroup(), name);
  }

  /// One state of type S for each key, from batch to batch: f(const K&, std::span<const V>,
  /// std::optional<S>) returns std::optional<S>, given all values of the key in the batch, and the
  /// state before it. Called for keys that have values (and not, as Spark does it, for all that
  /// there are); the stream has each key's new state. std::nullopt forgets the key, and the stream
  /// has nothing of it. Where it throws, the key's values of this batch are one dead letter, and
  /// its state stays. After StateOptions::time_out_ms without values f is called with none: what it
  /// returns then stays for as long again. `name`: of the state; it must stay the same.
  template <class S, class F>
  auto update_state_by_key(std::string_view name, F f, StateOptions options = {}) && {
    const auto stage = add_state<S>("update_state_by_key", name, options);
    auto make = [f = std::move(f), stage, options](auto next) {
      return std::make_unique<detail::UpdateNode<K, V, S, F, decltype(next)>>(f, stage, options,
                                                                              std::move(next));
    };
    return keyed<S>(through(std::move(make)), stage);
  }

  /// One state of type S for each key, seen by each value in turn: f(const K&, std::optional<V>,
  /// StateOfKey<S>&) returns U, or `Step<U>`; the stream has a U for each value. Where it throws,
  /// or returns Bad, the value is a dead letter (with its key, without an offset) and the state
  /// stays. A key that times out (StateOptions::time_out_ms) is given to f once more, without a
  /// value, and is forgotten. `name`: of the state; it must stay the same.
  template <class S, class F>
  auto map_with_state(std::string_view name, F f, StateOptions options = {}) && {
    using U =
        detail::unstepped<std::invoke_result_t<F&, const K&, std::optional<V>, StateOfKey<S>&>>;
    const auto stage = add_state<S>("map_with_state", name, options);
    auto make = [f = std::move(f), stage, options](auto next) {
      return std::make_unique<detail::MapWithStateNode<K, V, S, F, decltype(next)>>(
          f, stage, options, std::move(next));
    };
    return keyed<U>(through(std::move(make)), stage);
  }

  /// One value for each key and window of batches: add(const V&, const V&) returns V. A window is
  /// shown by the first batch at or behind its end, also by one without records; keys that have
  /// nothing in it are not. Where add throws, the value is a dead letter with its key. `name`: of
  /// the state; it must stay the same. Throws Failed for lengths that cannot be.
  template <class Add>
  auto reduce_by_key_and_window(std::string_view name, Add add, Slide slide) && {
    return std::move(*this).reduce_by_key_and_window(name, std::move(add), detail::NoInverse(),
                                                     slide);
  }
  /// The same, where remove(const V& sum, const V& part) takes back what add(sum, part) did: a
  /// window then costs what comes and goes, and not all that is in it.
  template <class Add, class Remove>
  auto reduce_by_key_and_window(std::string_view name, Add add, Remove remove, Slide slide) && {
    detail::check_windows(slide);
    // Slices of another length, or without their total, are of no use to the stage.
    const auto kind = std::string(std::is_same_v<Remove, detail::NoInverse> ? "" : " and total") +
                      " each " + std::to_string(slide.every_ms) + " ms";
    const auto stage = add_state<detail::Slices<V>>(
        "reduce_by_key_and_window", name, {.encoding = 1, .time_out_ms = slide.every_ms}, kind);
    auto make = [add = std::move(add), remove = std::move(remove), stage, slide](auto next) {
      using Node = detail::SlideNode<K, V, Add, Remove, decltype(next)>;
      return std::make_unique<Node>(add, remove, stage, slide, std::move(next));
    };
    return keyed<Windowed<V>>(through(std::move(make)), stage);
  }

  /// One value for each key and window of the time that values tell: time_of(const V&) returns
  /// milliseconds since the Unix epoch. A window is shown once the watermark has passed its end,
  /// and again by each batch with values that came late for it, as long as EventTime::lateness_ms
  /// says; what comes later still is a dead letter with its key. A session that grows after it was
  /// shown is shown again with its new bounds. Where a function throws, the value is a dead letter.
  /// `name`: of the state; it must stay the same.
  template <class TimeOf, class Add>
  auto reduce_by_key_and_event_window(std::string_view name, TimeOf time_of, Add add,
                                      Windows windows, EventTime event_time = {}) && {
    auto both = std::move(*this).event_windows(name, std::move(time_of), std::move(add), windows,
                                               event_time);
    return std::move(both).map_values(
        [](const auto& item) -> Step<Windowed<V>> {
          if (const auto* late = std::get_if<Late<V>>(&item)) {
            return Bad{"it is late: its time is " + std::to_string(late->time_ms) +
                       ", and the watermark is " + std::to_string(late->watermark_ms)};
          }
          return std::get<Windowed<V>>(item);
        },
        std::string(name) + ": in time");
  }
  /// The same with what is late in the stream: a std::variant of Windowed<V> and Late<V>. share()
  /// it to lead both somewhere.
  template <class TimeOf, class Add>
  auto event_windows(std::string_view name, TimeOf time_of, Add add, Windows windows,
                     EventTime event_time = {}) && {
    detail::check_windows(windows);
    detail::check_windows(event_time);
    const auto stage =
        add_state<std::vector<detail::OpenWindow<V>>>("event_windows", name, StateOptions());
    auto make = [time_of = std::move(time_of), add = std::move(add), stage, windows,
                 event_time](auto next) {
      using Node = detail::EventWindowNode<K, V, TimeOf, Add, decltype(next)>;
      return std::make_unique<Node>(time_of, add, stage, windows, event_time, std::move(next));
    };
    return keyed<std::variant<Windowed<V>, Late<V>>>(through(std::move(make)), stage);
  }

  /// The items of both. Of the same pipeline. As Stream::union_with().
  template <class Other>
  auto union_with(Keyed<K, V, Other> other, std::string_view name = {}) && {
    const auto stage = graph_->add("union_with", name, {stage_, other.stage_}, false);
    return keyed<V>(detail::Both<From, Other>{std::move(from_), std::move(other.from_)}, stage);
  }

  /// Read by several, computed once per batch.
  auto share(std::string_view name = {}) && {
    return std::move(*this)
        .map([](const K& key, const V& value) { return std::pair<K, V>(key, value); }, name)
        .share();
  }

  /// Each item is a row of that output: its key as text, and as value {"key": …, "value": …}, or,
  /// of a plain struct, {"key": …, and its members}.
  void to(std::string_view output) && {
    const bool by_record = graph_->stages[stage_].one_to_one;
    graph_->add_output({.output = std::string(output),
                        .stage = stage_,
                        .build =
                            [from = std::move(from_), by_record](detail::Run& run) {
                              auto node = std::make_unique<detail::RowsNode>(by_record);
                              from(run, detail::Into<detail::RowsNode>{node.get()});
                              run.add_output(std::move(node));
                            },
                        .by_record = by_record});
  }

  /// For the headers of <semel/stream.hpp> only.
  Keyed(std::shared_ptr<detail::Graph> graph, detail::StageId stage, From from)
      : graph_(std::move(graph)), stage_(stage), from_(std::move(from)) {}
  Keyed(Keyed&&) noexcept = default;             ///< the other one is of no use then
  Keyed& operator=(Keyed&&) noexcept = default;  ///< the same
  Keyed(const Keyed&) = delete;
  Keyed& operator=(const Keyed&) = delete;

 private:
  template <class, class, class>
  friend class Keyed;

  detail::StageId add(std::string_view kind, std::string_view name, bool by_record) {
    return graph_->add(kind, name, {stage_}, by_record && graph_->stages[stage_].one_to_one);
  }
  template <class S>
  detail::StageId add_state(std::string_view kind, std::string_view name, StateOptions options,
                            const std::string& more = {}) {
    static_assert(Owns<K> && Owns<V> && Owns<S>, "what is remembered may hold no view");
    return graph_->add_state(kind, name, stage_,
                             {.shape = detail::shape_of<K>() + ":" + detail::shape_of<S>() + more,
                              .encoding = options.encoding,
                              .by_time = options.time_out_ms > 0});
  }
  template <class Make>
  auto through(Make make) {
    return detail::ThroughNode<From, Make>{std::move(from_), std::move(make)};
  }
  template <class U, class Next>
  auto keyed(Next through, detail::StageId stage) {
    return Keyed<K, U, Next>(graph_, stage, std::move(through));
  }
  template <class U, class W, class Other, class Meet>
  auto meet(std::string_view kind, Keyed<K, W, Other> other, Meet how, std::string_view name) {
    static_assert(Owns<V> && Owns<W>,
                  "values are kept until the batch's end: they may hold no view");
    const auto stage = graph_->add(kind, name, {stage_, other.stage_}, false);
    using Both = detail::FromBothSides<K, V, W, From, Other, Meet>;
    return Keyed<K, U, Both>(graph_, stage, Both{std::move(from_), std::move(other.from_), how});
  }

  std::shared_ptr<detail::Graph> graph_;
  detail::StageId stage_;
  From from_;
};

template <class T, class From>
auto Stream<T, From>::count_by_value(std::string_view name) && {
  return std::move(*this)
      .key_by([](const T& item) { return item; })
      .map_values([](const T&) { return std::uint64_t{1}; })
      .reduce_by_key([](std::uint64_t a, std::uint64_t b) { return a + b; }, name);
}

/// For all items as of one key.
template <class T, class From>
template <class F>
auto Stream<T, From>::reduce_by_window(std::string_view name, F f, Slide slide) && {
  return std::move(*this)
      .key_by([](const T&) { return std::uint8_t{0}; })
      .reduce_by_key_and_window(name, std::move(f), slide)
      .map([](std::uint8_t, const Windowed<T>& window) { return window; });
}

}  // namespace semel::stream
