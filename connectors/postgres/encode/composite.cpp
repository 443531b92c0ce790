// Composite types: from a JSON object by the names of their attributes, or from PostgreSQL's own
// spelling in a string: '(1,"a b",)'.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "postgres/encode/encoder.hpp"
#include "postgres/encode/literal.hpp"
#include "postgres/encode/wire.hpp"
#include "record/json_text.hpp"

namespace semel::postgres::encode {
namespace {

using record::ObjectMembers;

constexpr Refusal kNotARow{"22P02", "is not a row: (value,\"value\",...)"};
constexpr Refusal kNotAnObject{"22023", "is not an object"};

class CompositeEncoder final : public ValueEncoder {
 public:
  explicit CompositeEncoder(std::vector<Attribute> attributes)
      : attributes_(std::move(attributes)), values_(attributes_.size()) {}

 private:
  Refusal write_binary(const Value& value, std::string& out) const override {
    if (const Refusal refusal = read(value)) return refusal;
    const LengthPrefix length(out);
    append_integer(out, static_cast<std::int32_t>(attributes_.size()));
    for (std::size_t i = 0; i < attributes_.size(); ++i) {
      append_integer(out, attributes_[i].type);
      if (values_[i].kind == Kind::null) {
        append_null_field(out);
      } else if (const Refusal refusal = attributes_[i].encoder->binary(values_[i], out)) {
        return refusal;
      }
    }
    length.close();
    return {};
  }

  Refusal write_text(const Value& value, std::string& out) const override {
    if (const Refusal refusal = read(value)) return refusal;
    out += '(';
    for (std::size_t i = 0; i < attributes_.size(); ++i) {
      if (i != 0) out += ',';
      if (values_[i].kind == Kind::null) continue;
      text_.clear();
      if (const Refusal refusal = attributes_[i].encoder->text(values_[i], text_)) return refusal;
      append_quoted(out, text_);
    }
    out += ')';
    return {};
  }

  /// Into values_; what the record has no value for is null.
  Refusal read(const Value& value) const {
    std::ranges::fill(values_, Value{.kind = Kind::null});
    scratch_.clear();
    // Values are views into it: it must not move.
    scratch_.reserve(value.text.size());
    if (value.kind == Kind::nested) {
      return value.json.starts_with('{') ? read_object(value.json) : kNotAnObject;
    }
    if (value.kind == Kind::number || value.kind == Kind::boolean || value.kind == Kind::instant) {
      return kNotAnObject;
    }
    return read_literal(value.text);
  }

  Refusal read_object(std::string_view json) const {
    Value member;
    for (ObjectMembers members(json); members.next(name_, member, scratch_);) {
      for (std::size_t i = 0; i < attributes_.size(); ++i) {
        if (attributes_[i].name == name_) values_[i] = member;
      }
    }
    return {};
  }

  Refusal read_literal(std::string_view text) const {
    std::string_view rest = skip_space(text);
    if (!rest.starts_with('(')) return kNotARow;
    for (std::size_t i = 0; i < values_.size(); ++i) {
      if (i != 0 && !rest.starts_with(',')) return kNotARow;
      rest.remove_prefix(1);
      if (rest.starts_with(',') || rest.starts_with(')')) continue;
      const std::size_t start = scratch_.size();
      if (!take_field(rest, ",)", scratch_)) return kNotARow;
      values_[i] = {.kind = Kind::literal, .text = std::string_view(scratch_).substr(start)};
    }
    if (values_.empty()) rest.remove_prefix(1);
    if (!rest.starts_with(')') || !skip_space(rest.substr(1)).empty()) return kNotARow;
    return {};
  }

  std::vector<Attribute> attributes_;
  mutable std::vector<Value> values_;
  mutable std::string name_;
  mutable std::string scratch_;
  mutable std::string text_;
};

}  // namespace

EncoderPtr make_composite(std::vector<Attribute> attributes) {
  return std::make_unique<CompositeEncoder>(std::move(attributes));
}

}  // namespace semel::postgres::encode
