#include <semel/stream/rows.hpp>

namespace semel::stream::detail {

namespace {

constexpr auto absent = std::string::npos;

}  // namespace

OutputNode::~OutputNode() = default;

void RowBuffer::add(const Record& whole) {
  rows_.push_back({&whole, true, absent, 0, absent, 0});
}

void RowBuffer::add(const Record* origin, std::optional<std::string_view> key,
                    std::optional<std::string_view> value) {
  Place place{origin, false, absent, 0, absent, 0};
  if (key) {
    place.key = bytes_.size();
    place.key_size = key->size();
    bytes_ += *key;
  }
  if (value) {
    place.value = bytes_.size();
    bytes_ += *value;
    place.value_size = value->size();
  }
  rows_.push_back(place);
}

void RowBuffer::cut(std::size_t size) {
  if (size >= rows_.size()) return;
  // The first one that goes knows where its bytes begin, if it has any.
  for (auto i = size; i < rows_.size(); ++i) {
    const auto& gone = rows_[i];
    const auto begin = gone.key != absent ? gone.key : gone.value;
    if (begin == absent) continue;
    bytes_.resize(begin);
    break;
  }
  rows_.resize(size);
}

Record RowBuffer::row(std::size_t i) const {
  const auto& place = rows_[i];
  if (place.whole) return *place.origin;
  Record record;
  if (place.origin != nullptr) {
    record.offset = place.origin->offset;
    record.timestamp_ms = place.origin->timestamp_ms;
    record.headers = place.origin->headers;
    record.key = place.origin->key;
  }
  const std::string_view bytes = bytes_;
  if (place.key != absent) record.key = bytes.substr(place.key, place.key_size);
  if (place.value != absent) record.value = bytes.substr(place.value, place.value_size);
  return record;
}

}  // namespace semel::stream::detail
