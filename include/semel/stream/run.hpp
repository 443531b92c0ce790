// A computation while it runs: what the stages of one session share. For the headers of
// <semel/stream.hpp> only; nothing here is for programs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <semel/api.hpp>
#include <semel/record.hpp>
#include <semel/stream/step.hpp>
#include <semel/types.hpp>

namespace semel::stream::detail {

/// Bit i: the pipeline's output number i. Of a record, in which it is dead.
using OutputSet = std::uint64_t;
inline constexpr std::size_t outputs_max = 64;

using StageId = std::size_t;  ///< place in Graph::stages

/// An item that a stage found bad: a record, or an aggregate, which has no offset.
struct Letter {
  const Record* origin = nullptr;  ///< nullptr: none; valid as long as the records of the call
  std::string key;                 ///< without an origin: the aggregate's key as text
  OutputSet outputs = 0;           ///< that it is dead in
  StageId stage = 0;
  std::string reason;
};

class Run;
class OutputNode;
class StateOfStage;

/// Where items leave one stage for several others, or are kept; has outputs downstream.
struct Scope {
  OutputSet outputs = 0;
};

/// Where items are kept until the batch's end. What came of one record since begin_item() can be
/// taken back: it is dead as a whole, or not at all.
class SEMEL_API Node : public Scope {
 public:
  Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  virtual ~Node();

  /// The records of a call are over: what is kept is final.
  virtual void absorb(Run& run) = 0;
  /// The batch is over: what comes of it goes on. After those of all nodes before it.
  virtual void finish(Run& run) = 0;
  /// Forgets the batch.
  virtual void reset() = 0;
  /// It keeps nothing that an output gets: an item is dead in it once it is in all outputs behind.
  virtual bool looks_on() const { return false; }

  /// Takes back what came since begin_item().
  void take_back(const Run& run);
  bool touched_by(const Run& run) const;
  /// For people: whose it is.
  const std::string& stage_name() const { return stage_name_; }

 protected:
  /// To be called before something is kept: remembers `size`, of what is kept already.
  void keeps(const Run& run, std::size_t size);

 private:
  friend class Run;
  virtual void cut(std::size_t size) = 0;  ///< to what keeps() was told

  std::string stage_name_;
  std::uint64_t item_ = 0;
  std::size_t mark_ = 0;
};

/// The first fused chain behind a source.
class SEMEL_API Subscription : public Scope {
 public:
  Subscription() = default;
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;
  virtual ~Subscription();
  /// Each is an item by itself.
  virtual void all(const TopicPartition& tp, std::span<const Record> records, Run& run) = 0;
  /// Part of the item that has begun.
  virtual void one(const Message& message, Run& run) = 0;
};

/// A stream that several stages read. Widened when another output begins to read it.
class SEMEL_API Shared : public Scope {
 public:
  Shared() = default;
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  virtual ~Shared();
  void widen(OutputSet more);

  std::vector<Scope*> upstream;
  std::vector<Shared*> shared_upstream;
};

class SEMEL_API Run {
 public:
  // -- while items pass through stages
  void begin_item(const Record* origin) {
    ++item_;
    origin_ = origin;
    key_text_ = nullptr;
    dead_ = 0;
  }
  void end_item() {
    if (dead_ != 0) [[unlikely]]
      bury();
  }
  /// The item is bad for all outputs behind the stage.
  void reject(StageId stage, std::string reason);
  /// The same, for what is being handled; goes on with what is no fault of the item's.
  void caught(StageId stage) { reject(stage, reason_of_what_is_handled()); }
  /// Why an item is bad, as a function has thrown it. Throws what is no fault of an item's again.
  static std::string reason_of_what_is_handled();
  std::uint64_t item() const { return item_; }
  const Record* origin() const { return origin_; }
  /// By what an item without origin is called in a dead letter; `text` is asked while it is the
  /// item.
  void name_item(const void* key, std::string (*text)(const void* key)) {
    key_ = key;
    key_text_ = text;
  }
  /// The item is a dead letter in all outputs behind the stage that asks.
  bool is_dead() const { return scope_ != 0 && (scope_ & ~dead_) == 0; }
  /// What the stage remembers, in this batch.
  StateOfStage& state(StageId stage) const { return *states_->at(stage); }
  OutputSet scope() const { return scope_; }
  void set_scope(OutputSet outputs) { scope_ = outputs; }
  const BatchInfo& batch() const { return batch_; }

  // -- while the computation is put together
  /// `stage`: whose it is, for people.
  Node& add(std::unique_ptr<Node> node, std::string stage);
  void add_output(std::unique_ptr<OutputNode> node, std::string stage);
  void subscribe(std::size_t source, std::unique_ptr<Subscription> subscription);
  /// For the output that is being put together.
  OutputSet building() const { return building_; }
  void build(OutputSet outputs) { building_ = outputs; }
  /// The shared stream of that name, if it is there already: read by one more output.
  Shared* find_shared(std::size_t id);
  /// `scopes_before`, `asked_before`: what scopes() and asked() said before its upstream was put
  /// together.
  void add_shared(std::size_t id, Shared& shared, std::size_t scopes_before,
                  std::size_t asked_before);
  std::size_t scopes() const { return all_scopes_.size(); }
  std::size_t asked() const { return found_.size(); }

  // -- by whoever runs it
  /// `states`: of each stage that remembers something; valid until the batch's end.
  void begin_batch(const BatchInfo& batch,
                   const std::map<StageId, StateOfStage*>* states = nullptr);
  /// `sources`: those that read the partition. What nodes throw while no item is handled ends the
  /// pipeline, here and in finish(): Failed, Cause::program.
  void records(std::span<const std::size_t> sources, const TopicPartition& tp,
               std::span<const Record> records);
  /// After the last records of the batch.
  void finish();
  /// In the order in which they were put together.
  OutputNode& output(std::size_t i) { return *outputs_[i]; }
  /// Since it was asked last.
  std::vector<Letter> take_letters() { return std::exchange(letters_, {}); }
  /// Forgets the batch.
  void reset();

 private:
  void bury();
  std::vector<Shared*> shared_since(std::size_t asked_before) const;

  std::uint64_t item_ = 0;
  const Record* origin_ = nullptr;
  OutputSet dead_ = 0;
  OutputSet scope_ = 0;
  const void* key_ = nullptr;
  std::string (*key_text_)(const void* key) = nullptr;
  BatchInfo batch_;
  const std::map<StageId, StateOfStage*>* states_ = nullptr;
  std::vector<Letter> letters_;

  OutputSet building_ = 0;
  std::vector<std::unique_ptr<Node>> nodes_;  ///< each behind those that it reads from
  std::vector<OutputNode*> outputs_;
  std::map<std::size_t, std::vector<std::unique_ptr<Subscription>>> sources_;
  std::map<std::size_t, Shared*> shared_;
  std::vector<Scope*> all_scopes_;
  std::vector<Shared*> found_;  ///< shared streams in the order in which they were asked for
};

inline bool Node::touched_by(const Run& run) const {
  return item_ == run.item();
}

inline void Node::keeps(const Run& run, std::size_t size) {
  if (item_ != run.item()) {
    item_ = run.item();
    mark_ = size;
  }
}

}  // namespace semel::stream::detail
