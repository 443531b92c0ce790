// A format that needs something which may be away, as one with a schema registry does.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string_view>

#include "record/decoder.hpp"

namespace semel::test {

/// Text as one value for every column. Its records can be read while `away` is false; thread safe.
class FarFormat final : public record::Format {
 public:
  explicit FarFormat(const std::atomic<bool>& away) : away_(away) {}
  std::string_view name() const override { return "far"; }
  bool has_members() const override { return true; }
  bool is_json() const override { return false; }
  std::unique_ptr<record::Decoder> decoder() const override {
    return std::make_unique<FarDecoder>(away_);
  }

 private:
  class FarDecoder final : public record::Decoder {
   public:
    explicit FarDecoder(const std::atomic<bool>& away) : away_(away) {}
    Result<void> bind(std::span<const record::Step>, std::uint32_t, bool) override { return {}; }
    record::Decoded decode(std::string_view value, std::span<record::Value> slots) override {
      if (away_) return {.status = record::DecodeStatus::unavailable};
      for (auto& slot : slots) slot = {.kind = record::Kind::string, .text = value};
      return {};
    }
    Error why_unavailable() const override {
      return {ErrorKind::unavailable, Cause::source, "the registry does not answer"};
    }

   private:
    const std::atomic<bool>& away_;
  };

  const std::atomic<bool>& away_;
};

}  // namespace semel::test
