// The places in a JSON document that columns come from, as a tree: found while walking it once.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "record/mapping.hpp"
#include "record/member_names.hpp"

namespace semel::record {

/// One place. Members usually come in the same order in every record, so a node remembers the keys
/// that it met last, as they were written, and tries those first.
class PathNode {
 public:
  std::vector<std::uint32_t> slots;  ///< the values to set from here
  std::uint64_t seen = 0;            ///< the last document in which it was met

  bool wants_members() const { return !members_.empty(); }
  bool wants_elements() const { return !elements_.empty(); }
  bool is_leaf() const { return members_.empty() && elements_.empty(); }

  PathNode* element(std::size_t index) const;
  /// By its name without escapes; null where nobody wants it.
  PathNode* member(std::string_view name) const;
  /// The same for a name that member() does not know: by what it has in common with one.
  PathNode* like(std::string_view name) const;

  /// The `position`th member of an object, whose key begins at `key` (after the quote; `end` bounds
  /// what may be read). Sets `length` where it is the key that was there last time: then the result
  /// is what learn() was told.
  bool guess(std::size_t position, const char* key, const char* end, std::size_t& length,
             PathNode*& node) const {
    if (position >= guesses_.size()) return false;
    const Guess& guess = guesses_[position];
    const std::size_t size = guess.key.size();
    // A whole key that ended at its quote last time ends there again when its bytes are the same.
    if (static_cast<std::size_t>(end - key) <= size || key[size] != '"' ||
        std::memcmp(key, guess.key.data(), size) != 0) {
      return false;
    }
    length = size;
    node = guess.node;
    return true;
  }
  void learn(std::size_t position, std::string_view written_key, PathNode* node);

  /// Calls for every slot here and below.
  template <class OnSlot>
  void for_each_slot(OnSlot on_slot) const {
    for (const std::uint32_t slot : slots) on_slot(slot);
    for (const auto& [name, node] : members_) node->for_each_slot(on_slot);
    for (const auto& [index, node] : elements_) node->for_each_slot(on_slot);
  }

 private:
  friend class PathTree;

  struct Guess {
    std::string key;
    PathNode* node = nullptr;
  };
  /// Beyond these, members are looked up each time: a bound for documents with random keys.
  static constexpr std::size_t kMaxGuesses = 256;
  static constexpr std::size_t kMaxGuessBytes = 64;

  std::unordered_map<std::string_view, PathNode*> members_;  ///< names live in the tree
  std::unordered_map<std::string_view, PathNode*> likes_;    ///< by folded name
  Names names_ = Names::exact;                               ///< by which they are folded
  std::vector<std::pair<std::size_t, PathNode*>> elements_;
  std::vector<Guess> guesses_;
};

/// Movable: nodes and names stay where they are.
class PathTree {
 public:
  PathTree() { nodes_.emplace_back(); }
  PathTree(PathTree&&) = default;
  PathTree& operator=(PathTree&&) = default;

  PathNode& root() { return nodes_.front(); }
  /// The value at `path` is to be put into `slot`.
  void add(std::span<const Step> path, std::uint32_t slot);
  /// The value of a member at the top is to be put into `slot` whose name is the same as `name` to
  /// `names`: of several the last one's. All calls have the same `names`.
  void add_like(std::string_view name, Names names, std::uint32_t slot);

 private:
  PathNode& child(PathNode& parent, const Step& step);
  void link(std::string_view name, PathNode& member);

  std::deque<PathNode> nodes_;
  std::deque<std::string> names_;
  std::vector<std::pair<std::string_view, std::uint32_t>> likes_;  ///< folded names, and slots
};

}  // namespace semel::record
