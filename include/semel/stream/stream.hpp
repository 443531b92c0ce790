// Streams of items, stage by stage. A stream is a recipe: nothing runs before the pipeline does.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <semel/stream/graph.hpp>
#include <semel/stream/nodes.hpp>
#include <semel/stream/owns.hpp>
#include <semel/stream/rows.hpp>
#include <semel/stream/stages.hpp>
#include <semel/stream/step.hpp>

namespace semel::stream {

template <class K, class V, class From>
class Keyed;
template <class T, class From>
class SharedStream;
struct Slide;

namespace detail {

/// Prints what is in a batch: for the eyes of whoever writes the pipeline.
SEMEL_API void print_rows(std::string_view stage, const BatchInfo& batch, std::size_t all,
                          std::span<const std::string> first);

template <class T>
std::string printable(const T& item) {
  if constexpr (std::is_same_v<T, Row>) {
    return item.value.value_or("null");
  } else if constexpr (Text<T>) {
    return std::string(std::string_view(item));
  } else {
    return json::write(item);
  }
}

}  // namespace detail

/// Items of type T, one after the other. May be used once: each member takes it as it is
/// (`std::move(stream).map(…)`, or in one chain), and share() is for what several read.
///
/// Functions are copied for each thread that runs the pipeline, so what they keep needs no lock;
/// that it survives a restart, only state promises. A function that throws, or returns Bad, makes
/// its record a dead letter in the outputs behind it, with the stage's name: the last argument of
/// each member, else the kind with a number ("map 2"). std::bad_alloc and semel::Failed end the
/// pipeline instead.
template <class T, class From>
class [[nodiscard]] Stream {
 public:
  using Item = T;  ///< what is in it

  /// One U for each item: f(const T&) returns U, or `Step<U>`.
  template <class F>
  auto map(F f, std::string_view name = {}) && {
    using U = detail::unstepped<std::invoke_result_t<F&, const T&>>;
    const auto stage = add("map", name, true);
    return next<U>(
        detail::Through<From, F, detail::MapStage>{std::move(from_), std::move(f), stage}, stage);
  }

  /// Those items for which p(const T&) is true.
  template <class P>
  auto filter(P p, std::string_view name = {}) && {
    const auto stage = add("filter", name, true);
    return next<T>(
        detail::Through<From, P, detail::FilterStage>{std::move(from_), std::move(p), stage},
        stage);
  }

  /// Any number of U for each item: f(const T&, emit) calls emit(U) for each. f may return
  /// std::optional<Bad>; then, or where it throws, nothing of the record is kept.
  template <class U, class F>
  auto flat_map(F f, std::string_view name = {}) && {
    const auto stage = add("flat_map", name, false);
    return next<U>(detail::ThroughFlatMap<From, U, F>{std::move(from_), std::move(f), stage},
                   stage);
  }

  /// All items of a batch at once, also of one without: f(const BatchInfo&, span<const T>, emit)
  /// calls emit(U). What it throws ends the pipeline, since no item is at fault.
  template <class U, class F>
  auto transform(F f, std::string_view name = {}) && {
    static_assert(Owns<T>, "transform keeps items until the batch's end: T may hold no view");
    const auto stage = add("transform", name, false);
    auto make = [f = std::move(f), text = graph_->stages[stage].name](auto next) {
      using Next = decltype(next);
      auto call = [f](const BatchInfo& batch, std::span<const T> items, Next& to,
                      detail::Run& run) mutable {
        auto emit = [&to, &run](U item) { detail::send(to, run, std::move(item)); };
        std::invoke(f, batch, items, emit);
      };
      return std::make_unique<detail::BatchNode<T, decltype(call), Next>>(std::move(call), text,
                                                                          std::move(next));
    };
    return next<U>(through(std::move(make)), stage);
  }

  /// The items of both. Of the same pipeline. A record may come on both ways, so rows have no
  /// record's offset.
  template <class Other>
  auto union_with(Stream<T, Other> other, std::string_view name = {}) && {
    const auto stage = graph_->add("union_with", name, {stage_, other.stage_}, false);
    return next<T>(detail::Both<From, Other>{std::move(from_), std::move(other.from_)}, stage);
  }

  /// Items by key: f(const T&) returns K, or Step<K>. K has std::hash, or is a pair, a tuple or a
  /// plain struct of such.
  template <class F>
  auto key_by(F f, std::string_view name = {}) && {
    using K = detail::unstepped<std::invoke_result_t<F&, const T&>>;
    static_assert(Owns<K>, "a key is kept until the batch's end: it may hold no view");
    const auto stage = add("key_by", name, true);
    using Through = detail::Through<From, F, detail::KeyStage>;
    return Keyed<K, T, Through>(graph_, stage, Through{std::move(from_), std::move(f), stage});
  }

  /// How many items a batch has: one number per batch.
  auto count(std::string_view name = {}) && {
    const auto stage = add("count", name, false);
    auto make = [](auto next) {
      return std::make_unique<detail::CountNode<decltype(next)>>(std::move(next));
    };
    return next<std::uint64_t>(through(std::move(make)), stage);
  }

  /// How often each item is there in a batch.
  auto count_by_value(std::string_view name = {}) &&;

  /// One value for each window of batches: f(const T&, const T&) returns T; the stream has
  /// Windowed<T>. As Keyed::reduce_by_key_and_window(), for all items as of one key.
  template <class F>
  auto reduce_by_window(std::string_view name, F f, Slide slide) &&;

  /// Read by several, computed once per batch.
  auto share(std::string_view name = {}) && -> SharedStream<T, From>;

  /// Shows the first items of each batch on standard output; the stream goes on. For looking on.
  auto print(std::size_t rows = 10, std::string_view name = {}) && {
    static_assert(Owns<T>, "print keeps items until the batch's end: T may hold no view");
    const auto stage = add("print", name, false);
    auto make = [rows, text = graph_->stages[stage].name](auto next) {
      using Next = decltype(next);
      auto call = [rows, text](const BatchInfo& batch, std::span<const T> items, Next& to,
                               detail::Run& run) {
        std::vector<std::string> first;
        for (const auto& item : items.first(std::min(rows, items.size()))) {
          first.push_back(detail::printable(item));
        }
        detail::print_rows(text, batch, items.size(), first);
        for (const auto& item : items) detail::send(to, run, T(item));
      };
      return std::make_unique<detail::BatchNode<T, decltype(call), Next>>(std::move(call), text,
                                                                          std::move(next));
    };
    return next<T>(through(std::move(make)), stage);
  }

  /// Each item is a row of the output of that name: a Message (all of the record), a Row, a text
  /// (the row's value), or what json::write() takes. Where each item comes of one record by map and
  /// filter alone, it has the record's offset, timestamp and, but for a Row's own, its key.
  void to(std::string_view output) && {
    const bool by_record = one_to_one();
    finish(output, by_record, [from = std::move(from_), by_record](detail::Run& run) {
      auto node = std::make_unique<detail::RowsNode>(by_record);
      from(run, detail::Into<detail::RowsNode>{node.get()});
      run.add_output(std::move(node));
    });
  }

  /// f(const BatchInfo&, span<const T>) is called for each batch, before the output of that name
  /// commits it; the output gets no rows, only its ledger moves. It is called again for a batch
  /// that was not committed, so what it does elsewhere is done at least once: the batch's time
  /// tells. What it throws ends the pipeline.
  template <class F>
  void for_each_batch(std::string_view output, F f) && {
    static_assert(Owns<T>, "for_each_batch keeps items until the batch's end: T may hold no view");
    finish(
        output, false,
        [from = std::move(from_), f = std::move(f), text = std::string(output)](detail::Run& run) {
          using Action = detail::ActionNode<T, F>;
          auto node = std::make_unique<Action>(f, "for_each_batch of output " + text);
          from(run, detail::Into<Action>{node.get()});
          run.add_output(std::move(node));
        });
  }

  /// For tests and measurements: what comes of each record goes to `end`, as to another stage.
  template <class End>
  void end_in(detail::Run& run, End end) && {
    from_(run, std::move(end));
  }

  /// For the headers of <semel/stream.hpp> only.
  Stream(std::shared_ptr<detail::Graph> graph, detail::StageId stage, From from)
      : graph_(std::move(graph)), stage_(stage), from_(std::move(from)) {}
  Stream(Stream&&) noexcept = default;             ///< the other one is of no use then
  Stream& operator=(Stream&&) noexcept = default;  ///< the same
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

 private:
  template <class, class>
  friend class Stream;

  bool one_to_one() const { return graph_->stages[stage_].one_to_one; }
  detail::StageId add(std::string_view kind, std::string_view name, bool by_record) {
    return graph_->add(kind, name, {stage_}, by_record && one_to_one());
  }
  template <class Make>
  auto through(Make make) {
    return detail::ThroughNode<From, Make>{std::move(from_), std::move(make)};
  }
  template <class U, class Next>
  auto next(Next through, detail::StageId stage) {
    return Stream<U, Next>(graph_, stage, std::move(through));
  }
  template <class Build>
  void finish(std::string_view output, bool by_record, Build build) {
    graph_->add_output({.output = std::string(output),
                        .stage = stage_,
                        .build = std::move(build),
                        .by_record = by_record});
  }

  std::shared_ptr<detail::Graph> graph_;
  detail::StageId stage_;
  From from_;
};

namespace detail {

/// From a shared stream: put together by whoever comes first.
template <class From, class... T>
struct FromShared {
  std::shared_ptr<const From> from;
  std::size_t id;

  template <class Next>
  void operator()(Run& run, Next next) const {
    auto* shared = static_cast<SharedNode<T...>*>(run.find_shared(id));
    if (shared == nullptr) {
      const auto scopes = run.scopes();
      const auto asked = run.asked();
      auto node = std::make_unique<SharedNode<T...>>();
      shared = node.get();
      (*from)(run, Into<SharedNode<T...>>{shared});
      run.add(std::move(node));
      run.add_shared(id, *shared, scopes, asked);
    }
    shared->add_reader([next = std::move(next)](const T&... item,
                                                Run& current) mutable { next(item..., current); },
                       run.building());
  }
};

}  // namespace detail

/// A stream that several read. A value: may be copied.
template <class T, class From>
class [[nodiscard]] SharedStream {
 public:
  /// The stream, once more.
  auto stream() const {
    using Again = detail::FromShared<From, T>;
    return Stream<T, Again>(graph_, stage_, Again{from_, id_});
  }

  /// For the headers of <semel/stream.hpp> only.
  SharedStream(std::shared_ptr<detail::Graph> graph, detail::StageId stage, From from)
      : graph_(std::move(graph)),
        stage_(stage),
        id_(graph_->shared++),
        from_(std::make_shared<const From>(std::move(from))) {}

 private:
  std::shared_ptr<detail::Graph> graph_;
  detail::StageId stage_;
  std::size_t id_;
  std::shared_ptr<const From> from_;
};

template <class T, class From>
auto Stream<T, From>::share(std::string_view name) && -> SharedStream<T, From> {
  static_assert(Owns<T>, "what is shared may hold no view");
  const auto stage = add("share", name, true);
  return {graph_, stage, std::move(from_)};
}

}  // namespace semel::stream
