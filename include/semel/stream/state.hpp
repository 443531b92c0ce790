// What a stage remembers from batch to batch: for the headers of <semel/stream.hpp> only, but for
// StateOptions.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <semel/api.hpp>
#include <semel/stream/codec.hpp>
#include <semel/stream/nodes.hpp>
#include <semel/stream/run.hpp>

namespace semel::stream {

/// How a stage keeps its state.
struct StateOptions {
  /// To be raised where the value's bytes mean something else than before, though their shape is
  /// the same; a value of another shape is noticed.
  std::uint32_t encoding = 1;
  /// A key whose state did not change for so long, by the time of batches, times out. 0: never.
  std::int64_t time_out_ms = 0;
};

namespace detail {

/// Of one stage, within one batch: what was before it, and what the batch changes. Throws Failed
/// where it cannot be read.
class SEMEL_API StateOfStage {
 public:
  virtual ~StateOfStage();
  virtual std::optional<std::string> get(std::string_view key) = 0;
  virtual void put(std::string_view key, std::string_view value) = 0;
  virtual void erase(std::string_view key) = 0;
  /// In the order of their bytes, from `from` on, while `see` says true. Not to be changed
  /// meanwhile.
  virtual void scan(
      std::string_view from,
      const std::function<bool(std::string_view key, std::string_view value)>& see) = 0;
};

// Keys of a stage, by their first byte. Stored: do not change.
inline constexpr char value_mark = 'v';  ///< the value of a key
inline constexpr char due_mark = 'd';    ///< when a key is due: time, key

/// Values of type S by keys of type K, with the time at which each is due.
template <class K, class S>
class TypedState {
 public:
  struct Kept {
    S value;
    std::int64_t due_ms = 0;  ///< 0: never
  };

  explicit TypedState(StateOfStage& state) : state_(&state) {}

  std::optional<Kept> get(const K& key) {
    const auto bytes = state_->get(key_of(key));
    if (!bytes) return std::nullopt;
    return kept_as(*bytes);
  }
  /// `before`: what get() has said.
  void put(const K& key, const std::optional<Kept>& before, const Kept& kept) {
    if (before && before->due_ms != kept.due_ms) forget_due(key, before->due_ms);
    std::string bytes;
    encode_to(bytes, kept.due_ms);
    encode_to(bytes, kept.value);
    state_->put(key_of(key), bytes);
    if (kept.due_ms != 0 && (!before || before->due_ms != kept.due_ms)) {
      state_->put(due_of(key, kept.due_ms), {});
    }
  }
  void erase(const K& key, const Kept& before) {
    forget_due(key, before.due_ms);
    state_->erase(key_of(key));
  }
  /// Keys that are due at `now_ms`, in the order of when, then of their bytes. `since_ms`: none is
  /// due before; what was due and is gone costs nothing then.
  std::vector<K> due(std::int64_t now_ms, std::int64_t since_ms = 0) {
    std::vector<K> keys;
    std::string first(1, due_mark);
    put_sorted(first, since_ms);
    state_->scan(first, [&](std::string_view key, std::string_view) {
      if (key.empty() || key.front() != due_mark) return false;
      Decoder from(key.substr(1));
      if (take_sorted(from) > now_ms) return false;
      keys.push_back(decoded<K>(from.rest()));
      return true;
    });
    return keys;
  }
  /// Calls see(key, kept) for every key, in the order of their bytes. It may change that key.
  template <class See>
  void each(See see) {
    std::vector<std::pair<std::string, std::string>> some;
    std::string from(1, value_mark);
    do {
      some.clear();
      state_->scan(from, [&some](std::string_view key, std::string_view value) {
        if (key.empty() || key.front() != value_mark) return false;
        some.emplace_back(key, value);
        return some.size() < at_once;
      });
      for (const auto& [key, value] : some) {
        see(decoded<K>(std::string_view(key).substr(1)), kept_as(value));
      }
      if (!some.empty()) from = some.back().first + '\0';
    } while (some.size() == at_once);
  }

 private:
  // So many values are in memory.
  static constexpr std::size_t at_once = 1'000;

  static Kept kept_as(std::string_view bytes) {
    Decoder from(bytes);
    Kept kept{};
    decode_from(from, kept.due_ms);
    decode_from(from, kept.value);
    if (!from.rest().empty()) undecodable();
    return kept;
  }
  static std::string key_of(const K& key) {
    std::string bytes(1, value_mark);
    encode_to(bytes, key);
    return bytes;
  }
  static std::string due_of(const K& key, std::int64_t due_ms) {
    std::string bytes(1, due_mark);
    put_sorted(bytes, due_ms);
    encode_to(bytes, key);
    return bytes;
  }
  void forget_due(const K& key, std::int64_t due_ms) {
    if (due_ms != 0) state_->erase(due_of(key, due_ms));
  }

  StateOfStage* state_;
};

/// update_state_by_key: all values of a key in a batch, and its state.
template <class K, class V, class S, class F, class Next>
class UpdateNode final : public Node {
 public:
  UpdateNode(F f, StageId stage, StateOptions options, Next next)
      : f_(std::move(f)), stage_(stage), options_(options), next_(std::move(next)) {}

  void take(K key, V value, Run& run) {
    keeps(run, fresh_.size());
    fresh_.emplace_back(std::move(key), std::move(value));
  }
  void absorb(Run&) override {
    for (auto& [key, value] : fresh_) {
      all_.find_or_add(std::move(key), [] { return std::vector<V>(); })
          .first->push_back(std::move(value));
    }
    fresh_.clear();
  }
  void finish(Run& run) override {
    TypedState<K, S> state(run.state(stage_));
    for (const auto& entry : all_.entries()) {
      update(state, run, entry.key, std::span<const V>(entry.value));
    }
    if (options_.time_out_ms > 0) {
      for (const auto& key : state.due(run.batch().time.ms)) {
        if (all_.find(key) == nullptr) update(state, run, key, {});
      }
    }
    all_.clear();
  }
  void reset() override {
    fresh_.clear();
    all_.clear();
  }

 private:
  void cut(std::size_t size) override { cut_to(fresh_, size); }

  void update(TypedState<K, S>& state, Run& run, const K& key, std::span<const V> values) {
    const auto before = state.get(key);
    auto apply = [&](const K& of, std::span<const V> with, Run& current) {
      try {
        auto old = before ? std::optional<S>(before->value) : std::nullopt;
        std::optional<S> now = std::invoke(f_, of, with, std::move(old));
        const auto due =
            options_.time_out_ms > 0 ? current.batch().time.ms + options_.time_out_ms : 0;
        if (now) {
          state.put(of, before, {*now, due});
          next_(of, *std::move(now), current);
        } else if (before) {
          state.erase(of, *before);
        }
      } catch (...) {
        // The key's values of this batch are one dead letter; its state stays. At a time-out it
        // would be called for the same in each batch: the key is forgotten.
        current.caught(stage_);
        if (with.empty() && before) state.erase(of, *before);
      }
    };
    send(apply, run, key, std::move(values));
  }

  F f_;
  StageId stage_;
  StateOptions options_;
  Next next_;
  std::vector<std::pair<K, V>> fresh_;
  OrderedMap<K, std::vector<V>> all_;
};

}  // namespace detail

/// The state of one key in map_with_state's function.
template <class S>
class StateOfKey {
 public:
  bool exists() const { return value_.has_value(); }        ///< before, or set by now
  const S& get() const { return *value_; }                  ///< only where it exists
  std::optional<S> get_optional() const { return value_; }  ///< a copy
  /// Is stored with the batch. Not while timing_out().
  void set(S value) {
    value_ = std::move(value);
    changed_ = true;
  }
  /// Forgets the key.
  void remove() {
    value_.reset();
    changed_ = true;
  }
  /// The key has timed out: it is forgotten after this call.
  bool timing_out() const { return timing_out_; }

  /// For the headers of <semel/stream.hpp> only.
  StateOfKey(std::optional<S> value, bool timing_out)
      : value_(std::move(value)), timing_out_(timing_out) {}
  /// For the headers of <semel/stream.hpp> only.
  bool changed() const { return changed_; }

 private:
  std::optional<S> value_;
  bool timing_out_;
  bool changed_ = false;
};

namespace detail {

/// map_with_state: each value of a key by itself.
template <class K, class V, class S, class F, class Next>
class MapWithStateNode final : public Node {
 public:
  MapWithStateNode(F f, StageId stage, StateOptions options, Next next)
      : f_(std::move(f)), stage_(stage), options_(options), next_(std::move(next)) {}

  void take(K key, V value, Run& run) {
    keeps(run, all_.size());
    all_.emplace_back(std::move(key), std::move(value));
  }
  void absorb(Run&) override {}
  void finish(Run& run) override {
    TypedState<K, S> state(run.state(stage_));
    for (const auto& [key, value] : all_) update(state, run, key, &value);
    all_.clear();
    if (options_.time_out_ms == 0) return;
    // What changed in this batch is not due: its time is later.
    for (const auto& key : state.due(run.batch().time.ms)) update(state, run, key, nullptr);
  }
  void reset() override { all_.clear(); }

 private:
  void cut(std::size_t size) override { cut_to(all_, size); }

  /// `value`: nullptr where the key has timed out.
  void update(TypedState<K, S>& state, Run& run, const K& key, const V* value) {
    const auto before = state.get(key);
    auto apply = [&](const K& of, const V* with, Run& current) {
      StateOfKey<S> cell(before ? std::optional<S>(before->value) : std::nullopt, with == nullptr);
      try {
        auto given = with != nullptr ? std::optional<V>(*with) : std::nullopt;
        auto answer = std::invoke(f_, of, std::move(given), cell);
        auto with_key = [this, &of](auto item, Run& to) { next_(of, std::move(item), to); };
        hand_on(std::move(answer), stage_, with_key, current);
      } catch (...) {
        current.caught(stage_);
        if (with != nullptr) return;
      }
      if (current.is_dead() && with != nullptr) return;
      if (with == nullptr || (cell.changed() && !cell.exists())) {
        if (before) state.erase(of, *before);
      } else if (cell.exists() && (cell.changed() || options_.time_out_ms > 0)) {
        const auto due =
            options_.time_out_ms > 0 ? current.batch().time.ms + options_.time_out_ms : 0;
        state.put(of, before, {cell.get(), due});
      }
    };
    send(apply, run, key, std::move(value));
  }

  F f_;
  StageId stage_;
  StateOptions options_;
  Next next_;
  std::vector<std::pair<K, V>> all_;
};

}  // namespace detail

}  // namespace semel::stream
