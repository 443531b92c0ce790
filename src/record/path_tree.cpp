#include "record/path_tree.hpp"

#include <variant>

namespace semel::record {

PathNode* PathNode::element(std::size_t index) const {
  for (const auto& [at, node] : elements_) {
    if (at == index) return node;
  }
  return nullptr;
}

PathNode* PathNode::member(std::string_view name) const {
  const auto found = members_.find(name);
  return found == members_.end() ? nullptr : found->second;
}

PathNode* PathNode::like(std::string_view name) const {
  if (likes_.empty()) return nullptr;
  const auto found = likes_.find(folded(name, names_));
  return found == likes_.end() ? nullptr : found->second;
}

void PathNode::learn(std::size_t position, std::string_view written_key, PathNode* node) {
  if (position > guesses_.size() || position >= kMaxGuesses ||
      written_key.size() > kMaxGuessBytes) {
    return;
  }
  if (position == guesses_.size()) guesses_.emplace_back();
  guesses_[position].key = written_key;
  guesses_[position].node = node;
}

PathNode& PathTree::child(PathNode& parent, const Step& step) {
  if (const auto* index = std::get_if<std::size_t>(&step)) {
    if (PathNode* node = parent.element(*index)) return *node;
    PathNode& node = nodes_.emplace_back();
    parent.elements_.emplace_back(*index, &node);
    return node;
  }
  const std::string& name = std::get<std::string>(step);
  if (PathNode* node = parent.member(name)) return *node;
  PathNode& node = nodes_.emplace_back();
  parent.members_.emplace(names_.emplace_back(name), &node);
  if (&parent == &root()) link(name, node);
  return node;
}

/// A member that has a path of its own is like others, too.
void PathTree::link(std::string_view name, PathNode& member) {
  if (likes_.empty()) return;
  const auto key = folded(name, root().names_);
  for (const auto& [like, slot] : likes_) {
    if (like == key) member.slots.push_back(slot);
  }
}

void PathTree::add_like(std::string_view name, Names names, std::uint32_t slot) {
  PathNode& top = root();
  top.names_ = names;
  const std::string_view key = names_.emplace_back(folded(name, names));
  for (const auto& [other, node] : top.members_) {
    if (folded(other, names) == key) node->slots.push_back(slot);
  }
  likes_.emplace_back(key, slot);
  PathNode*& node = top.likes_[key];
  if (node == nullptr) node = &nodes_.emplace_back();
  node->slots.push_back(slot);
}

void PathTree::add(std::span<const Step> path, std::uint32_t slot) {
  PathNode* node = &root();
  for (const Step& step : path) node = &child(*node, step);
  node->slots.push_back(slot);
}

}  // namespace semel::record
