// Keys with values, in the order in which the keys came: what is computed again comes in the same
// order. For the headers of <semel/stream.hpp> only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <tuple>
#include <utility>
#include <vector>

#include <semel/members.hpp>

namespace semel::stream::detail {

/// Of pairs, tuples and plain structs, too.
template <class K>
std::size_t hash_of(const K& key);

template <class K>
constexpr bool hashes_by_std = requires(const K& key) {
  std::hash<K>()(key);
};

// The golden ratio's fraction: spreads what std::hash leaves as it is (libstdc++'s of an integer).
inline std::size_t mixed(std::size_t hash) {
  hash *= 0x9E3779B97F4A7C15u;
  return hash ^ (hash >> 32);
}

template <class... M>
std::size_t hash_of_all(const M&... members) {
  std::size_t hash = 0;
  ((hash = mixed(hash + hash_of(members))), ...);
  return hash;
}

template <class T>
constexpr bool is_tuple = requires {
  std::tuple_size<T>::value;
};

template <class K>
std::size_t hash_of(const K& key) {
  if constexpr (hashes_by_std<K>) {
    return mixed(std::hash<K>()(key));
  } else if constexpr (is_tuple<K>) {
    return std::apply([](const auto&... m) { return hash_of_all(m...); }, key);
  } else if constexpr (has_members<K>) {
    return std::apply([](const auto&... m) { return hash_of_all(m...); }, members_of(key));
  } else {
    static_assert(has_members<K>,
                  "a key has std::hash, or is a pair, a tuple or a plain struct of such: up to 16 "
                  "members, none of them an array, a bit field or a reference, and no base class");
    return 0;
  }
}

template <class K>
bool same_key(const K& a, const K& b) {
  if constexpr (requires { a == b; }) {
    return a == b;
  } else if constexpr (!has_members<K>) {
    static_assert(has_members<K>, "keys have ==, or are plain structs of such");
    return false;
  } else {
    return [&]<std::size_t... i>(std::index_sequence<i...>) {
      return (same_key(std::get<i>(members_of(a)), std::get<i>(members_of(b))) && ...);
    }
    (std::make_index_sequence<member_count<K>>());
  }
}

/// Open addressing with linear probing over places in a vector; at most half full.
template <class K, class V>
class OrderedMap {
 public:
  struct Entry {
    K key;
    V value;
    std::size_t hash;
  };

  /// The value of `key`, and whether it is new: then made of `make()`.
  template <class Key, class Make>
  std::pair<V*, bool> find_or_add(Key&& key, Make make) {
    if (2 * (entries_.size() + 1) > slots_.size()) grow();
    const auto hash = hash_of<K>(key);
    auto slot = hash & (slots_.size() - 1);
    while (slots_[slot] != 0) {
      auto& entry = entries_[slots_[slot] - 1];
      if (entry.hash == hash && same_key(entry.key, key)) return {&entry.value, false};
      slot = (slot + 1) & (slots_.size() - 1);
    }
    entries_.push_back({K(std::forward<Key>(key)), make(), hash});
    slots_[slot] = entries_.size();
    return {&entries_.back().value, true};
  }

  V* find(const K& key) {
    if (slots_.empty()) return nullptr;
    const auto hash = hash_of<K>(key);
    for (auto slot = hash & (slots_.size() - 1); slots_[slot] != 0;
         slot = (slot + 1) & (slots_.size() - 1)) {
      auto& entry = entries_[slots_[slot] - 1];
      if (entry.hash == hash && same_key(entry.key, key)) return &entry.value;
    }
    return nullptr;
  }

  std::vector<Entry>& entries() { return entries_; }
  bool empty() const { return entries_.empty(); }
  void clear() {
    entries_.clear();
    std::fill(slots_.begin(), slots_.end(), 0);
  }

 private:
  void grow() {
    std::vector<std::size_t> slots(slots_.empty() ? 16 : 2 * slots_.size());
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      auto slot = entries_[i].hash & (slots.size() - 1);
      while (slots[slot] != 0) slot = (slot + 1) & (slots.size() - 1);
      slots[slot] = i + 1;
    }
    slots_ = std::move(slots);
  }

  std::vector<Entry> entries_;
  std::vector<std::size_t> slots_;  ///< 0: free; else 1 + the place of an entry
};

}  // namespace semel::stream::detail
