// What a store is written to: keys and values, some of them what is known of the state, the others
// the state itself. A door for tests that lose power.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <semel/error.hpp>

namespace semel::state {

class Disk {
 public:
  enum class Family : std::uint8_t { meta, state };
  struct Change {
    Family family = Family::state;
    std::string key;
    std::optional<std::string> value;  ///< nothing: the key goes
  };
  using See = std::function<bool(std::string_view key, std::string_view value)>;

  virtual ~Disk() = default;

  /// For people.
  virtual const std::string& path() const = 0;
  virtual Result<std::optional<std::string>> get(Family family, std::string_view key) const = 0;
  /// Of the state, from `from` on, in the order of their bytes, as long as `see` says true.
  virtual Result<void> scan(std::string_view from, const See& see) const = 0;
  /// All of them or none, in their order. `sync`: durable when it returns, with all before it.
  virtual Result<void> write(const std::vector<Change>& changes, bool sync) = 0;
  /// A copy, in a directory that is not there yet.
  virtual Result<void> checkpoint(const std::string& directory) const = 0;
};

/// A RocksDB in a directory, which is made where it is not there. Fatal, Cause::state, where
/// another process has it, and for all else that people must mend.
Result<std::unique_ptr<Disk>> open_disk(const std::string& directory);

/// The same for a cache: what is damaged is removed and made anew. Null where another process has
/// it.
Result<std::unique_ptr<Disk>> open_cache_disk(const std::string& directory);
/// As it is now, to be read only: also while another process has it, which goes on without it.
Result<std::unique_ptr<Disk>> look_at_disk(const std::string& directory);

}  // namespace semel::state
