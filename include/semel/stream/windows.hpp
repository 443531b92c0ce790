// Windows: values of a key over a time, which is that of batches or one that records tell. The
// nodes are for the headers of <semel/stream.hpp> only.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <semel/stream/nodes.hpp>
#include <semel/stream/run.hpp>
#include <semel/stream/state.hpp>

namespace semel::stream {

/// Windows by the time of batches: one ends each `every_ms`, and has the batches of `length_ms`
/// before that. Ends are multiples of every_ms since the Unix epoch.
struct Slide {
  std::int64_t length_ms = 0;  ///< a multiple of every_ms
  std::int64_t every_ms = 0;   ///< more than 0
};

// -- windows by the time that records tell, in milliseconds since the Unix epoch

/// One window behind the other; each time is in one of them.
struct Tumbling {
  std::int64_t size_ms = 0;  ///< more than 0
};
/// A window begins each every_ms; each time is in size_ms / every_ms of them.
struct Sliding {
  std::int64_t size_ms = 0;   ///< a multiple of every_ms
  std::int64_t every_ms = 0;  ///< more than 0
};
/// A window of a key ends when nothing came of it for gap_ms.
struct Session {
  std::int64_t gap_ms = 0;  ///< more than 0
};
/// Which one is meant.
using Windows = std::variant<Tumbling, Sliding, Session>;

/// When a window is complete. The *watermark* is the latest time that any record of the batches
/// before has told, less `delay_ms`; it never goes back, and stands still while nothing comes.
struct EventTime {
  std::int64_t delay_ms = 0;  ///< how much later than others a record may come
  std::int64_t lateness_ms =
      0;  ///< so long behind its end a window takes records, and is shown again
  /// What is further ahead of the batch's time is a dead letter: one wrong clock would make all
  /// others late.
  std::int64_t ahead_ms = 86'400'000;
};

/// What is in a window: its value, for the times [start_ms, end_ms).
template <class V>
struct Windowed {
  std::int64_t start_ms = 0;  ///< included
  std::int64_t end_ms = 0;    ///< not included
  V value{};                  ///< of all that is in it
};

/// A value that came when all of its windows were gone.
template <class V>
struct Late {
  std::int64_t time_ms = 0;       ///< that it told
  std::int64_t watermark_ms = 0;  ///< as it was
  V value{};                      ///< what came
};

namespace detail {

/// Throws Failed (Cause::program) for lengths that cannot be.
SEMEL_API void check_windows(const Slide& slide);
SEMEL_API void check_windows(const Windows& windows);
SEMEL_API void check_windows(const EventTime& event_time);

/// The multiple of `unit` at or below `time`.
inline std::int64_t floor_to(std::int64_t time, std::int64_t unit) {
  const auto rest = time % unit;
  return time - (rest < 0 ? rest + unit : rest);
}

inline constexpr char cursor_mark = 'c';  ///< a number of the stage's. Stored: do not change.

inline std::optional<std::int64_t> read_cursor(StateOfStage& state) {
  const auto bytes = state.get(std::string(1, cursor_mark));
  return bytes ? std::optional(decoded<std::int64_t>(*bytes)) : std::nullopt;
}
inline void write_cursor(StateOfStage& state, std::int64_t at) {
  state.put(std::string(1, cursor_mark), encoded(at));
}

struct NoInverse {};

/// Of a key: what came in each slice of Slide::every_ms that a window may still need.
template <class V>
struct Slices {
  std::vector<std::pair<std::int64_t, V>> of;  ///< by the slice's beginning, ascending
  std::optional<V> total;                      ///< of all of them, where there is an inverse
};

template <class K, class V, class Add, class Remove, class Next>
class SlideNode final : public Node {
 public:
  SlideNode(Add add, Remove remove, StageId stage, Slide slide, Next next)
      : add_(std::move(add)),
        remove_(std::move(remove)),
        stage_(stage),
        slide_(slide),
        next_(std::move(next)) {}

  void take(K key, V value, Run& run) {
    keeps(run, fresh_.size());
    fresh_.emplace_back(std::move(key), std::move(value));
  }
  void absorb(Run&) override {}
  void finish(Run& run) override {
    auto& state = run.state(stage_);
    TypedState<K, Slices<V>> kept(state);
    const auto now = run.batch().time.ms;
    auto end = read_cursor(state).value_or(floor_to(now, slide_.every_ms) + slide_.every_ms);
    for (; end <= now; end += slide_.every_ms) {
      if (!close_window(kept, run, end)) end = std::max(end, floor_to(now, slide_.every_ms));
    }
    write_cursor(state, end);
    for (auto& [key, value] : fresh_) add_to_slice(kept, run, key, std::move(value));
    fresh_.clear();
  }
  void reset() override { fresh_.clear(); }

 private:
  static constexpr bool has_inverse = !std::same_as<Remove, NoInverse>;

  void cut(std::size_t size) override { cut_to(fresh_, size); }

  void add_to_slice(TypedState<K, Slices<V>>& kept, Run& run, const K& key, V&& value) {
    auto apply = [&](const K& of, V&& with, Run& current) {
      try {
        const auto before = kept.get(of);
        auto slices = before ? before->value : Slices<V>();
        const auto begin = floor_to(current.batch().time.ms, slide_.every_ms);
        if constexpr (has_inverse) {
          slices.total =
              slices.total ? std::invoke(add_, std::as_const(*slices.total), with) : with;
        }
        if (!slices.of.empty() && slices.of.back().first == begin) {
          auto& last = slices.of.back().second;
          last = std::invoke(add_, std::as_const(last), std::as_const(with));
        } else {
          slices.of.emplace_back(begin, std::move(with));
        }
        kept.put(of, before, {std::move(slices), 0});
      } catch (...) {
        current.caught(stage_);
      }
    };
    send(apply, run, key, std::move(value));
  }

  /// Shows the windows that end there. False: no key has anything any more.
  bool close_window(TypedState<K, Slices<V>>& kept, Run& run, std::int64_t end) {
    bool any = false;
    for (auto& [key, before] : kept.all()) {
      auto apply = [&](const K& of, Slices<V>&& slices, Run& current) {
        try {
          auto value = value_of(slices);
          // Before anything goes on: a function behind this stage that throws changes nothing here.
          keep_rest(kept, of, before, std::move(slices), end);
          if (value)
            next_(of, Windowed<V>{end - slide_.length_ms, end, *std::move(value)}, current);
        } catch (...) {
          // What cannot be added now, or taken away, never can: the key begins anew.
          kept.erase(of, before);
          current.caught(stage_);
        }
      };
      send(apply, run, key, Slices<V>(before.value));
      any = true;
    }
    return any;
  }

  std::optional<V> value_of(const Slices<V>& slices) {
    if constexpr (has_inverse) return slices.total;
    std::optional<V> value;
    for (const auto& [begin, of] : slices.of) {
      value = value ? std::invoke(add_, std::as_const(*value), of) : of;
    }
    return value;
  }

  /// Without what the next window does not have.
  void keep_rest(TypedState<K, Slices<V>>& kept, const K& key,
                 const typename TypedState<K, Slices<V>>::Kept& before, Slices<V>&& slices,
                 std::int64_t end) {
    const auto first = end + slide_.every_ms - slide_.length_ms;
    const auto gone = std::ranges::find_if(
        slices.of, [first](const auto& slice) { return slice.first >= first; });
    if constexpr (has_inverse) {
      for (auto slice = slices.of.begin(); slice != gone; ++slice) {
        slices.total = std::invoke(remove_, std::as_const(*slices.total), slice->second);
      }
    }
    slices.of.erase(slices.of.begin(), gone);
    if (slices.of.empty()) {
      kept.erase(key, before);
    } else {
      kept.put(key, before, {std::move(slices), 0});
    }
  }

  Add add_;
  Remove remove_;
  StageId stage_;
  Slide slide_;
  Next next_;
  std::vector<std::pair<K, V>> fresh_;
};

/// A window of a key as it is kept.
template <class V>
struct OpenWindow {
  std::int64_t start_ms = 0;
  std::int64_t end_ms = 0;
  bool shown = false;
  V value{};
};

/// Makes values into windows by the time they tell. To `next` go Windowed<V>, and what is late as
/// Late<V>, in one variant.
template <class K, class V, class TimeOf, class Add, class Next>
class EventWindowNode final : public Node {
 public:
  using Out = std::variant<Windowed<V>, Late<V>>;

  EventWindowNode(TimeOf time_of, Add add, StageId stage, Windows windows, EventTime event_time,
                  Next next)
      : time_of_(std::move(time_of)),
        add_(std::move(add)),
        stage_(stage),
        windows_(windows),
        event_time_(event_time),
        next_(std::move(next)) {}

  void take(K key, V value, Run& run) {
    keeps(run, fresh_.size());
    fresh_.emplace_back(std::move(key), std::move(value));
  }
  void absorb(Run&) override {}
  void finish(Run& run) override {
    auto& state = run.state(stage_);
    State kept(state);
    const auto watermark = read_cursor(state).value_or(never);
    auto newest = watermark == never ? never : watermark + event_time_.delay_ms;
    OrderedMap<K, Touched> touched;
    for (auto& [key, value] : fresh_) place(kept, touched, run, watermark, newest, key, value);
    fresh_.clear();
    if (newest == never) return;
    const auto moved = std::max(watermark, newest - event_time_.delay_ms);
    write_cursor(state, moved);
    for (auto& entry : touched.entries()) show(kept, run, entry.key, entry.value, moved);
    for (const auto& key : kept.due(moved)) {
      if (touched.find(key) != nullptr) continue;
      const auto before = kept.get(key);
      if (!before) continue;
      Touched of{before, before->value};
      show(kept, run, key, of, moved);
    }
  }
  void reset() override { fresh_.clear(); }

 private:
  using Open = std::vector<OpenWindow<V>>;
  using State = TypedState<K, Open>;
  struct Touched {
    std::optional<typename State::Kept> before;
    Open windows;
  };
  static constexpr auto never = std::numeric_limits<std::int64_t>::min();

  void cut(std::size_t size) override { cut_to(fresh_, size); }

  void place(State& kept, OrderedMap<K, Touched>& touched, Run& run, std::int64_t watermark,
             std::int64_t& newest, const K& key, V& value) {
    auto apply = [&](const K& of, V& with, Run& current) {
      try {
        const std::int64_t time = std::invoke(time_of_, std::as_const(with));
        if (time < 0) throw Bad{"its time is before 1970"};
        if (time - current.batch().time.ms > event_time_.ahead_ms) {
          throw Bad{"its time is too far ahead of the batch's"};
        }
        const auto fits = [&](std::int64_t end) {
          return watermark == never || end + event_time_.lateness_ms > watermark;
        };
        auto spans = windows_at(time);
        std::erase_if(spans, [&](const auto& span) { return !fits(span.second); });
        if (spans.empty()) {
          next_(of, Out(Late<V>{time, watermark, with}), current);
          return;
        }
        const auto load = [&kept, &of] {
          auto before = kept.get(of);
          auto open = before ? before->value : Open();
          return Touched{std::move(before), std::move(open)};
        };
        auto& open = touched.find_or_add(of, load).first->windows;
        // On a copy: a function that throws in the middle leaves all as it was.
        auto changed = open;
        for (const auto& [start, end] : spans) add_to(changed, start, end, with);
        open = std::move(changed);
        newest = std::max(newest, time);
      } catch (...) {
        current.caught(stage_);
      }
    };
    send(apply, run, key, value);
  }

  std::vector<std::pair<std::int64_t, std::int64_t>> windows_at(std::int64_t time) const {
    if (const auto* session = std::get_if<Session>(&windows_))
      return {{time, time + session->gap_ms}};
    if (const auto* tumbling = std::get_if<Tumbling>(&windows_)) {
      const auto start = floor_to(time, tumbling->size_ms);
      return {{start, start + tumbling->size_ms}};
    }
    const auto& sliding = std::get<Sliding>(windows_);
    std::vector<std::pair<std::int64_t, std::int64_t>> spans;
    for (auto start = floor_to(time, sliding.every_ms); start > time - sliding.size_ms;
         start -= sliding.every_ms) {
      spans.insert(spans.begin(), {start, start + sliding.size_ms});
    }
    return spans;
  }

  /// A window that changes is shown again.
  void add_to(Open& open, std::int64_t start, std::int64_t end, const V& value) {
    OpenWindow<V> window{start, end, false, value};
    const bool merges = std::holds_alternative<Session>(windows_);
    for (auto other = open.begin(); other != open.end();) {
      // Sessions that touch are two: the gap is over at the end.
      const bool same = merges ? other->start_ms < window.end_ms && window.start_ms < other->end_ms
                               : other->start_ms == start;
      if (!same) {
        ++other;
        continue;
      }
      window.value = std::invoke(add_, std::as_const(other->value), std::as_const(window.value));
      window.start_ms = std::min(window.start_ms, other->start_ms);
      window.end_ms = std::max(window.end_ms, other->end_ms);
      other = open.erase(other);
    }
    const auto begin = window.start_ms;
    const auto behind =
        std::ranges::find_if(open, [begin](const auto& other) { return other.start_ms > begin; });
    open.insert(behind, std::move(window));
  }

  /// What is complete goes on, what is too old is forgotten, the rest is kept.
  void show(State& kept, Run& run, const K& key, Touched& touched, std::int64_t watermark) {
    Open left;
    std::int64_t due = std::numeric_limits<std::int64_t>::max();
    for (auto& window : touched.windows) {
      if (!window.shown && window.end_ms <= watermark) {
        window.shown = true;
        send(next_, run, key, Out(Windowed<V>{window.start_ms, window.end_ms, window.value}));
      }
      const auto gone = window.end_ms + event_time_.lateness_ms;
      if (window.shown && gone <= watermark) continue;
      due = std::min(due, window.shown ? gone : window.end_ms);
      left.push_back(std::move(window));
    }
    if (left.empty()) {
      if (touched.before) kept.erase(key, *touched.before);
    } else {
      kept.put(key, touched.before, {std::move(left), due});
    }
  }

  TimeOf time_of_;
  Add add_;
  StageId stage_;
  Windows windows_;
  EventTime event_time_;
  Next next_;
  std::vector<std::pair<K, V>> fresh_;
};

}  // namespace detail

}  // namespace semel::stream
