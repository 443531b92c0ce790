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
  return node;
}

void PathTree::add(std::span<const Step> path, std::uint32_t slot) {
  PathNode* node = &root();
  for (const Step& step : path) node = &child(*node, step);
  node->slots.push_back(slot);
}

}  // namespace semel::record
