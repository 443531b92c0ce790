// JSON as a format: one pass over the document, and what is wrong with it for people.
#include "formats/formats.hpp"
#include "formats/json/explain.hpp"
#include "formats/json/json_reader.hpp"

namespace semel::formats {
namespace {

class JsonDecoder final : public record::Decoder {
 public:
  Result<void> bind(std::span<const record::Step> path, std::uint32_t slot, bool) override {
    tree_.add(path, slot);
    return {};
  }

  Result<void> bind_like(std::string_view name, record::Names names, std::uint32_t slot) override {
    tree_.add_like(name, names, slot);
    return {};
  }

  void accept_nan() override { reader_.accept_nan(); }

  record::Decoded decode(std::string_view value, std::span<Value> slots) override {
    if (!reader_.read(value, tree_, slots)) return {.status = record::DecodeStatus::malformed};
    return {.unknown_fields = reader_.unknown_fields()};
  }

  std::string why_malformed(std::string_view value) override {
    // By another reader: values may still be borrowed from the first.
    return why_not_an_object(value, reader_.error(),
                             [this](std::string_view text) { return checker_.is_json(text); });
  }

  std::string why_nothing(std::string_view value, std::span<const std::string> own_names,
                          std::string_view setting) override {
    return is_empty_object(value) ? std::string() : why_no_column(value, own_names, setting);
  }

  std::string_view unknown_field() const override { return reader_.unknown_field(); }

 private:
  PathTree tree_;
  JsonReader reader_;
  JsonReader checker_;
};

class JsonFormat final : public record::Format {
 public:
  std::string_view name() const override { return "json"; }
  bool has_members() const override { return true; }
  bool is_json() const override { return true; }
  std::unique_ptr<record::Decoder> decoder() const override {
    return std::make_unique<JsonDecoder>();
  }
};

}  // namespace

const FormatPtr& json() {
  static const FormatPtr format = std::make_shared<JsonFormat>();
  return format;
}

}  // namespace semel::formats
