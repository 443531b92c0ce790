#include "testing/memory_disk.hpp"

#include <utility>

namespace semel::testing {

namespace {

class MemoryDisk final : public state::Disk {
 public:
  MemoryDisk(DiskBytes& bytes, DiskWatch watch) : bytes_(bytes), watch_(std::move(watch)) {}

  const std::string& path() const override { return path_; }
  Result<std::optional<std::string>> get(Family family, std::string_view key) const override {
    const auto& keys = family == Family::meta ? bytes_.meta : bytes_.state;
    const auto found = keys.find(key);
    if (found == keys.end()) return std::optional<std::string>();
    return std::optional(found->second);
  }
  Result<void> scan(std::string_view from, const See& see) const override {
    for (auto at = bytes_.state.lower_bound(from); at != bytes_.state.end(); ++at) {
      if (!see(at->first, at->second)) break;
    }
    return {};
  }
  Result<void> write(const Changes& changes, bool sync) override {
    watch_.before(sync);
    bytes_.apply(changes);
    watch_.after(changes, sync);
    return {};
  }
  Result<void> checkpoint(const std::string&) const override {
    return fail(ErrorKind::fatal, Cause::internal, "nobody copies a state in memory");
  }

 private:
  DiskBytes& bytes_;
  DiskWatch watch_;
  std::string path_ = "memory";
};

}  // namespace

void DiskBytes::apply(const Changes& changes) {
  for (const auto& [family, key, value] : changes) {
    auto& keys = family == state::Disk::Family::meta ? meta : state;
    if (value) {
      keys[key] = *value;
    } else {
      keys.erase(key);
    }
  }
}

std::unique_ptr<state::Disk> memory_disk(DiskBytes& bytes, DiskWatch watch) {
  return std::make_unique<MemoryDisk>(bytes, std::move(watch));
}

}  // namespace semel::testing
