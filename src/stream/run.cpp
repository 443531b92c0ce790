#include <semel/stream/run.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <exception>
#include <new>
#include <utility>

#include <semel/failed.hpp>
#include <semel/stream/rows.hpp>

namespace semel::stream::detail {

namespace {

/// Ends the pipeline with what is being handled: an item of its own is not at fault.
[[noreturn]] void batch_threw(const std::string& stage) {
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

/// What a node does with all that it keeps.
template <class Work>
void of_batch(const Node& node, Work work) {
  try {
    work();
  } catch (...) {
    batch_threw(node.stage_name());
  }
}

}  // namespace

Node::~Node() = default;
Subscription::~Subscription() = default;
Shared::~Shared() = default;

void Node::take_back(const Run& run) {
  if (touched_by(run)) cut(mark_);
}

void Shared::widen(OutputSet more) {
  if ((outputs | more) == outputs) return;
  outputs |= more;
  for (auto* scope : upstream) scope->outputs |= more;
  for (auto* shared : shared_upstream) shared->widen(more);
}

void Run::reject(StageId stage, std::string reason) {
  const auto newly = scope_ & ~dead_;
  if (newly == 0) return;
  dead_ |= newly;
  letters_.push_back({origin_, key_text_ != nullptr ? key_text_(key_) : std::string(), newly, stage,
                      std::move(reason)});
}

std::string Run::reason_of_what_is_handled() {
  try {
    throw;
  } catch (Bad& bad) {
    return std::move(bad.reason);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const Failed&) {
    throw;
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "it threw something that is no std::exception";
  }
}

/// What is dead in one output is dead in each that has something of it in common with that one.
void Run::bury() {
  for (bool grows = true; grows;) {
    grows = false;
    for (const auto& node : nodes_) {
      if (node->looks_on() || !node->touched_by(*this) || (node->outputs & dead_) == 0) continue;
      if (const auto more = node->outputs & ~dead_; more != 0) {
        dead_ |= more;
        letters_.back().outputs |= more;
        grows = true;
      }
    }
  }
  for (const auto& node : nodes_) {
    const auto dead = node->outputs & dead_;
    if (node->looks_on() ? dead == node->outputs : dead != 0) node->take_back(*this);
  }
}

Node& Run::add(std::unique_ptr<Node> node, std::string stage) {
  node->outputs = building_;
  node->stage_name_ = std::move(stage);
  all_scopes_.push_back(node.get());
  nodes_.push_back(std::move(node));
  return *nodes_.back();
}

void Run::add_output(std::unique_ptr<OutputNode> node, std::string stage) {
  outputs_.push_back(node.get());
  add(std::move(node), std::move(stage));
}

void Run::subscribe(std::size_t source, std::unique_ptr<Subscription> subscription) {
  subscription->outputs = building_;
  all_scopes_.push_back(subscription.get());
  sources_[source].push_back(std::move(subscription));
}

Shared* Run::find_shared(std::size_t id) {
  const auto found = shared_.find(id);
  if (found == shared_.end()) return nullptr;
  found->second->widen(building_);
  found_.push_back(found->second);
  return found->second;
}

std::vector<Shared*> Run::shared_since(std::size_t asked_before) const {
  return {found_.begin() + static_cast<std::ptrdiff_t>(asked_before), found_.end()};
}

void Run::add_shared(std::size_t id, Shared& shared, std::size_t scopes_before,
                     std::size_t asked_before) {
  shared.outputs = building_;
  shared.upstream.assign(all_scopes_.begin() + static_cast<std::ptrdiff_t>(scopes_before),
                         all_scopes_.end());
  shared.shared_upstream = shared_since(asked_before);
  shared_[id] = &shared;
  found_.push_back(&shared);
}

void Run::begin_batch(const BatchInfo& batch, const std::map<StageId, StateOfStage*>* states) {
  reset();
  batch_ = batch;
  states_ = states;
}

void Run::records(std::span<const std::size_t> sources, const TopicPartition& tp,
                  std::span<const Record> records) {
  std::vector<Subscription*> subscriptions;
  for (const auto source : sources) {
    for (const auto& one : sources_[source]) subscriptions.push_back(one.get());
  }
  if (subscriptions.size() == 1) {
    scope_ = subscriptions.front()->outputs;
    subscriptions.front()->all(tp, records, *this);
  } else {
    // A record is one item, whoever reads it: dead in an output, it is dead on each way there.
    for (const auto& record : records) {
      begin_item(&record);
      for (auto* subscription : subscriptions) {
        scope_ = subscription->outputs;
        subscription->one(Message(record, tp), *this);
      }
      end_item();
    }
  }
  for (const auto& node : nodes_) {
    of_batch(*node, [&] { node->absorb(*this); });
  }
}

void Run::finish() {
  for (const auto& node : nodes_) {
    of_batch(*node, [&] {
      node->absorb(*this);
      scope_ = node->outputs;
      node->finish(*this);
    });
  }
}

void Run::reset() {
  for (const auto& node : nodes_) node->reset();
  letters_.clear();
}

}  // namespace semel::stream::detail
