#include "simulation/stream/machine.hpp"

namespace semel::stream_simulation {

namespace {

class SimulatedDisk final : public state::Disk {
 public:
  SimulatedDisk(StateBytes& bytes, std::function<void()> step)
      : bytes_(bytes), step_(std::move(step)) {}

  const std::string& path() const override { return path_; }
  Result<std::optional<std::string>> get(Family family, std::string_view key) const override {
    const auto& keys = family == Family::meta ? bytes_.now.meta : bytes_.now.state;
    const auto found = keys.find(key);
    if (found == keys.end()) return std::optional<std::string>();
    return std::optional(found->second);
  }
  Result<void> scan(std::string_view from, const See& see) const override {
    const auto& keys = bytes_.now.state;
    for (auto at = keys.lower_bound(from); at != keys.end(); ++at) {
      if (!see(at->first, at->second)) break;
    }
    return {};
  }
  Result<void> write(const std::vector<Change>& changes, bool sync) override {
    step_();
    bytes_.write(changes, sync);
    step_();
    return {};
  }
  Result<void> checkpoint(const std::string&) const override {
    return fail(ErrorKind::fatal, Cause::internal, "nobody copies a simulated state");
  }

 private:
  StateBytes& bytes_;
  std::function<void()> step_;
  std::string path_ = "a simulated disk";
};

}  // namespace

std::unique_ptr<state::Disk> disk_of(StateBytes& bytes, std::function<void()> step) {
  return std::make_unique<SimulatedDisk>(bytes, std::move(step));
}

}  // namespace semel::stream_simulation
