// Where items are kept until the batch's end. For the headers of <semel/stream.hpp> only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <semel/json.hpp>
#include <semel/stream/ordered_map.hpp>
#include <semel/stream/rows.hpp>
#include <semel/stream/run.hpp>
#include <semel/stream/stages.hpp>
#include <semel/stream/step.hpp>

namespace semel::stream::detail {

/// Keeps the first `size` items.
template <class Item>
void cut_to(std::vector<Item>& items, std::size_t size) {
  items.erase(items.begin() + static_cast<std::ptrdiff_t>(size), items.end());
}

/// Hands on what has no origin, but is called by its key.
template <class Next, class K, class V>
void send(Next& next, Run& run, const K& key, V&& value) {
  run.begin_item(nullptr);
  run.name_item(&key, [](const void* of) { return key_text(*static_cast<const K*>(of)); });
  next(key, std::forward<V>(value), run);
  run.end_item();
}
/// The same without a key.
template <class Next, class T>
void send(Next& next, Run& run, T&& item) {
  run.begin_item(nullptr);
  next(std::forward<T>(item), run);
  run.end_item();
}

/// One side of what is kept by key: of each record only once it is known to be whole.
template <class K, class V>
class Side final : public Node {
 public:
  void take(K key, V value, Run& run) {
    keeps(run, items.size());
    items.emplace_back(std::move(key), std::move(value));
  }
  void absorb(Run&) override {}
  void finish(Run&) override {}
  void reset() override { items.clear(); }

  std::vector<std::pair<K, V>> items;

 private:
  void cut(std::size_t size) override { cut_to(items, size); }
};

/// Values of the same key, two become one.
template <class K, class V, class F, class Next>
class ReduceNode final : public Node {
 public:
  ReduceNode(F f, StageId stage, Next next)
      : f_(std::move(f)), stage_(stage), next_(std::move(next)) {}

  void take(K key, V value, Run& run) {
    keeps(run, fresh_.size());
    fresh_.emplace_back(std::move(key), std::move(value));
  }
  void absorb(Run&) override {
    for (auto& [key, value] : fresh_) {
      const auto [kept, added] =
          all_.find_or_add(std::move(key), [&value] { return Kept{std::move(value)}; });
      if (added || kept->bad) continue;
      try {
        kept->value = std::invoke(f_, std::as_const(kept->value), std::as_const(value));
      } catch (...) {
        kept->bad = Run::reason_of_what_is_handled();
      }
    }
    fresh_.clear();
  }
  void finish(Run& run) override {
    for (auto& entry : all_.entries()) {
      auto checked = [&](const K& key, V&& value, Run& current) {
        if (entry.value.bad) {
          current.reject(stage_, std::move(*entry.value.bad));
        } else {
          next_(key, std::move(value), current);
        }
      };
      send(checked, run, entry.key, std::move(entry.value.value));
    }
    all_.clear();
  }
  void reset() override {
    fresh_.clear();
    all_.clear();
  }

 private:
  struct Kept {
    V value;
    std::optional<std::string> bad{};  ///< why values of this key could not become one
  };
  void cut(std::size_t size) override { cut_to(fresh_, size); }

  F f_;
  StageId stage_;
  Next next_;
  std::vector<std::pair<K, V>> fresh_;  ///< of the records of this call
  OrderedMap<K, Kept> all_;
};

/// All values of a key, in the order in which they came.
template <class K, class V, class Next>
class GroupNode final : public Node {
 public:
  explicit GroupNode(Next next) : next_(std::move(next)) {}

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
    for (auto& entry : all_.entries()) {
      send(next_, run, entry.key, std::move(entry.value));
    }
    all_.clear();
  }
  void reset() override {
    fresh_.clear();
    all_.clear();
  }

 private:
  void cut(std::size_t size) override { cut_to(fresh_, size); }

  Next next_;
  std::vector<std::pair<K, V>> fresh_;
  OrderedMap<K, std::vector<V>> all_;
};

/// How many items there were: one number per batch, also of one without records.
template <class Next>
class CountNode final : public Node {
 public:
  explicit CountNode(Next next) : next_(std::move(next)) {}

  template <class T>
  void take(const T&, Run& run) {
    keeps(run, count_);
    ++count_;
  }
  void absorb(Run&) override {}
  void finish(Run& run) override { send(next_, run, std::uint64_t{std::exchange(count_, 0)}); }
  void reset() override { count_ = 0; }

 private:
  void cut(std::size_t size) override { count_ = size; }

  Next next_;
  std::size_t count_ = 0;
};

/// All items of a batch at once. `call(items, next, run)`.
template <class T, class Call, class Next>
class BatchNode final : public Node {
 public:
  BatchNode(Call call, Next next) : call_(std::move(call)), next_(std::move(next)) {}

  void take(T item, Run& run) {
    keeps(run, items_.size());
    items_.push_back(std::move(item));
  }
  void absorb(Run&) override {}
  void finish(Run& run) override {
    call_(run.batch(), std::span<const T>(items_), next_, run);
    items_.clear();
  }
  void reset() override { items_.clear(); }

 private:
  void cut(std::size_t size) override { cut_to(items_, size); }

  Call call_;
  Next next_;
  std::vector<T> items_;
};

template <class T>
std::string printable(const T& item) {
  if constexpr (std::is_same_v<T, Message>) {
    return std::string(item.value());
  } else if constexpr (std::is_same_v<T, Row>) {
    return item.value.value_or("null");
  } else if constexpr (Text<T>) {
    return std::string(std::string_view(item));
  } else {
    return json::write(item);
  }
}

/// What print() shows at the batch's end: of the first items their texts, of all how many.
class SEMEL_API PrintNode final : public Node {
 public:
  explicit PrintNode(std::size_t rows) : rows_(rows) {}

  template <class T>
  void see(const T& item, Run& run) {
    keeps(run, all_);
    if (first_.size() < rows_) first_.push_back(printable(item));
    ++all_;
  }
  bool looks_on() const override { return true; }
  void absorb(Run&) override {}
  void finish(Run& run) override;
  void reset() override { cut(0); }

 private:
  void cut(std::size_t size) override;

  std::size_t rows_;
  std::size_t all_ = 0;
  std::vector<std::string> first_;
};

template <class T, class Next>
struct PrintStage {
  PrintNode* node;
  Next next;

  template <class Item>
  void operator()(Item&& item, Run& run) {
    node->see<T>(item, run);
    next(std::forward<Item>(item), run);
  }
};

template <class T, class From>
struct ThroughPrint {
  From from;
  std::size_t rows;
  std::string stage;

  template <class Next>
  void operator()(Run& run, Next next) const {
    auto node = std::make_unique<PrintNode>(rows);
    from(run, PrintStage<T, Next>{node.get(), std::move(next)});
    run.add(std::move(node), stage);
  }
};

/// What an output's function is called with; no row comes of it.
template <class T, class F>
class ActionNode final : public OutputNode {
 public:
  explicit ActionNode(F f) : f_(std::move(f)) {}

  void take(T item, Run& run) {
    keeps(run, items_.size());
    items_.push_back(std::move(item));
  }
  void finish(Run& run) override {
    std::invoke(f_, run.batch(), std::span<const T>(items_));
    items_.clear();
  }
  void reset() override { items_.clear(); }

 private:
  void cut(std::size_t size) override { cut_to(items_, size); }

  F f_;
  std::vector<T> items_;
};

/// Two sides, met at the batch's end. `meet(left, right, next, run)`, of vectors of pairs.
template <class K, class V, class W, class Meet, class Next>
class MeetNode final : public Node {
 public:
  MeetNode(Meet meet, Side<K, V>& left, Side<K, W>& right, Next next)
      : meet_(std::move(meet)), left_(&left), right_(&right), next_(std::move(next)) {}

  void absorb(Run&) override {}
  void finish(Run& run) override { meet_(left_->items, right_->items, next_, run); }
  void reset() override {}

 private:
  void cut(std::size_t) override {}

  Meet meet_;
  Side<K, V>* left_;
  Side<K, W>* right_;
  Next next_;
};

/// A stream that is computed once and read by several stages. `T`: one type, or a key's and a
/// value's.
template <class... T>
class SharedNode final : public Node, public Shared {
 public:
  using Reader = std::function<void(const T&..., Run&)>;

  void take(const T&... item, Run& run) {
    const auto scope = run.scope();
    for (const auto& reader : readers_) {
      run.set_scope(reader.outputs);
      reader.read(item..., run);
    }
    run.set_scope(scope);
  }
  void add_reader(Reader reader, OutputSet reads) {
    readers_.push_back({std::move(reader), reads});
  }
  void absorb(Run&) override {}
  void finish(Run&) override {}
  void reset() override {}

 private:
  void cut(std::size_t) override {}
  struct Reading {
    Reader read;
    OutputSet outputs;
  };
  std::vector<Reading> readers_;
};

}  // namespace semel::stream::detail
