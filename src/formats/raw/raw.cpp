// Bytes that are not looked into.
#include <vector>

#include "formats/formats.hpp"
#include "record/parts.hpp"

namespace semel::formats {
namespace {

class RawDecoder final : public record::Decoder {
 public:
  Result<void> bind(std::span<const record::Step> path, std::uint32_t slot, bool bytes) override {
    if (!path.empty()) {
      return fail(ErrorKind::fatal, Cause::configuration,
                  "source.kafka.value = \"raw\" does not look into the value: \"$\" is all of it");
    }
    slots_.push_back({slot, bytes});
    return {};
  }

  record::Decoded decode(std::string_view value, std::span<record::Value> slots) override {
    for (const auto& [slot, bytes] : slots_) slots[slot] = record::bytes_value(value, bytes);
    return {};
  }

 private:
  struct Slot {
    std::uint32_t slot = 0;
    bool bytes = false;
  };
  std::vector<Slot> slots_;
};

class RawFormat final : public record::Format {
 public:
  std::string_view name() const override { return "raw"; }
  bool has_members() const override { return false; }
  bool is_json() const override { return false; }
  std::unique_ptr<record::Decoder> decoder() const override {
    return std::make_unique<RawDecoder>();
  }
};

}  // namespace

const FormatPtr& raw() {
  static const FormatPtr format = std::make_shared<RawFormat>();
  return format;
}

}  // namespace semel::formats
