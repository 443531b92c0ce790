// The stages that are fused: each calls the next one, and a compiler makes one loop of all of them.
// For the headers of <semel/stream.hpp> only.
#pragma once

#include <concepts>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include <semel/stream/graph.hpp>
#include <semel/stream/run.hpp>
#include <semel/stream/step.hpp>

namespace semel::stream::detail {

/// Hands a function's answer on, or rejects the item.
template <class Answer, class Next>
void hand_on(Answer&& answer, StageId stage, Next& next, Run& run) {
  if constexpr (Unstepped<std::remove_cvref_t<Answer>>::may_be_bad) {
    if (auto* bad = std::get_if<Bad>(&answer)) {
      run.reject(stage, std::move(bad->reason));
    } else {
      next(std::get<0>(std::forward<Answer>(answer)), run);
    }
  } else {
    next(std::forward<Answer>(answer), run);
  }
}

// In each stage the next one is called inside of try, too: it catches what its own function throws,
// so what passes here is none of the item's fault, and Run::caught() passes it on.

template <class F, class Next>
struct MapStage {
  F f;
  StageId stage;
  Next next;

  template <class Item>
  void operator()(Item&& item, Run& run) {
    try {
      hand_on(std::invoke(f, std::as_const(item)), stage, next, run);
    } catch (...) {
      run.caught(stage);
    }
  }
};

template <class F, class Next>
struct FilterStage {
  F f;
  StageId stage;
  Next next;

  template <class Item>
  void operator()(Item&& item, Run& run) {
    try {
      if (std::invoke(f, std::as_const(item))) next(std::forward<Item>(item), run);
    } catch (...) {
      run.caught(stage);
    }
  }
};

/// What flat_map and transform give their function: called with each item that comes of it.
template <class U, class Next>
class Emit {
 public:
  Emit(Next& next, Run& run) : next_(&next), run_(&run) {}
  void operator()(U item) const { (*next_)(std::move(item), *run_); }

 private:
  Next* next_;
  Run* run_;
};

template <class U, class F, class Next>
struct FlatMapStage {
  F f;
  StageId stage;
  Next next;

  template <class Item>
  void operator()(Item&& item, Run& run) {
    try {
      const Emit<U, Next> emit(next, run);
      if constexpr (std::is_void_v<
                        std::invoke_result_t<F&, decltype(std::as_const(item)), decltype(emit)>>) {
        std::invoke(f, std::as_const(item), emit);
      } else {
        std::optional<Bad> bad = std::invoke(f, std::as_const(item), emit);
        if (bad) run.reject(stage, std::move(bad->reason));
      }
    } catch (...) {
      run.caught(stage);
    }
  }
};

template <class F, class Next>
struct KeyStage {
  F f;
  StageId stage;
  Next next;

  template <class Item>
  void operator()(Item&& item, Run& run) {
    try {
      using Key = unstepped<std::invoke_result_t<F&, decltype(std::as_const(item))>>;
      auto with_item = [this, &item](Key key, Run& current) {
        next(std::move(key), std::forward<Item>(item), current);
      };
      hand_on(std::invoke(f, std::as_const(item)), stage, with_item, run);
    } catch (...) {
      run.caught(stage);
    }
  }
};

template <class F, class Next>
struct MapValuesStage {
  F f;
  StageId stage;
  Next next;

  template <class K, class V>
  void operator()(K&& key, V&& value, Run& run) {
    try {
      using U = unstepped<std::invoke_result_t<F&, decltype(std::as_const(value))>>;
      auto with_key = [this, &key](U mapped, Run& current) {
        next(std::forward<K>(key), std::move(mapped), current);
      };
      hand_on(std::invoke(f, std::as_const(value)), stage, with_key, run);
    } catch (...) {
      run.caught(stage);
    }
  }
};

/// Of a keyed stream one item each.
template <class F, class Next>
struct MapPairStage {
  F f;
  StageId stage;
  Next next;

  template <class K, class V>
  void operator()(K&& key, V&& value, Run& run) {
    try {
      hand_on(std::invoke(f, std::as_const(key), std::as_const(value)), stage, next, run);
    } catch (...) {
      run.caught(stage);
    }
  }
};

template <class F, class Next>
struct FilterPairStage {
  F f;
  StageId stage;
  Next next;

  template <class K, class V>
  void operator()(K&& key, V&& value, Run& run) {
    try {
      if (std::invoke(f, std::as_const(key), std::as_const(value))) {
        next(std::forward<K>(key), std::forward<V>(value), run);
      }
    } catch (...) {
      run.caught(stage);
    }
  }
};

/// To a node that lives as long as the Run.
template <class N>
struct Into {
  N* node;

  template <class... Item>
  void operator()(Item&&... item) const {
    node->take(std::forward<Item>(item)...);
  }
};

template <class Next>
class Chain final : public Subscription {
 public:
  explicit Chain(Next next) : next_(std::move(next)) {}

  void all(const TopicPartition& tp, std::span<const Record> records, Run& run) override {
    for (const auto& record : records) {
      run.begin_item(&record);
      next_(Message(record, tp), run);
      run.end_item();
    }
  }
  void one(const Message& message, Run& run) override { next_(message, run); }

 private:
  Next next_;
};

/// Where a stream begins: at a source.
struct FromSource {
  std::size_t source = 0;

  template <class Next>
  void operator()(Run& run, Next next) const {
    run.subscribe(source, std::make_unique<Chain<Next>>(std::move(next)));
  }
};

/// `From` attaches what is given to it to all that comes before. Each stage makes one of the one
/// before it.
template <class From, class F, template <class, class> class Stage>
struct Through {
  From from;
  F f;
  StageId stage;

  template <class Next>
  void operator()(Run& run, Next next) const {
    from(run, Stage<F, Next>{f, stage, std::move(next)});
  }
};

template <class From, class U, class F>
struct ThroughFlatMap {
  From from;
  F f;
  StageId stage;

  template <class Next>
  void operator()(Run& run, Next next) const {
    from(run, FlatMapStage<U, F, Next>{f, stage, std::move(next)});
  }
};

template <class A, class B>
struct Both {
  A a;
  B b;

  template <class Next>
  void operator()(Run& run, Next next) const {
    a(run, next);
    b(run, std::move(next));
  }
};

/// Through a node that Make makes of what comes next.
template <class From, class Make>
struct ThroughNode {
  From from;
  Make make;
  std::string stage;

  template <class Next>
  void operator()(Run& run, Next next) const {
    auto node = make(std::move(next));
    auto* kept = node.get();
    from(run, Into<std::remove_pointer_t<decltype(kept)>>{kept});
    run.add(std::move(node), stage);
  }
};

}  // namespace semel::stream::detail
