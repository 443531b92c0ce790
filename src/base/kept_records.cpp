#include "base/kept_records.hpp"

namespace semel {

void KeptRecords::add(const Record& record) {
  const auto owned = [this](const std::optional<std::string_view>& bytes) {
    bytes_ += bytes ? bytes->size() : 0;
    return bytes ? std::optional<std::string>(*bytes) : std::nullopt;
  };
  bytes_ += sizeof(Copy);
  Copy copy{record.offset, record.timestamp_ms, owned(record.key), owned(record.value), {}};
  for (const auto& [name, value] : record.headers()) {
    bytes_ += sizeof(copy.headers.front()) + name.size();
    copy.headers.emplace_back(name, owned(value));
  }
  records_.push_back(std::move(copy));
}

void KeptRecords::clear() {
  records_.clear();
  bytes_ = 0;
}

Record KeptRecords::operator[](std::size_t index) const {
  const auto& copy = records_[index];
  return {.offset = copy.offset,
          .timestamp_ms = copy.timestamp_ms,
          .key = copy.key,
          .value = copy.value,
          .headers = {&copy, [](const void* message, std::vector<Header>& into) {
                        const auto& kept = *static_cast<const Copy*>(message);
                        for (const auto& [name, value] : kept.headers) {
                          into.push_back({name, value});
                        }
                      }}};
}

}  // namespace semel
