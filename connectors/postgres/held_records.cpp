#include "postgres/held_records.hpp"

namespace semel::postgres {

void HeldRecords::clear() {
  records_.clear();
  rows_.clear();
  bytes_.clear();
  size_ = 0;
}

void HeldRecords::keep(const Record& record) {
  const auto owned = [](const std::optional<std::string_view>& bytes) {
    return bytes ? std::optional<std::string>(*bytes) : std::nullopt;
  };
  Copy copy{record.offset, record.timestamp_ms, owned(record.key), owned(record.value), {}, {}};
  for (const auto& [name, value] : record.headers()) {
    copy.headers.emplace_back(name, owned(value));
  }
  size_ += (copy.key ? copy.key->size() : 0) + (copy.value ? copy.value->size() : 0);
  records_.push_back(std::move(copy));
}

void HeldRecords::add(const Record& record, std::uint32_t column_set, std::string_view row) {
  rows_.push_back({records_.size(), column_set, bytes_.size(), bytes_.size() + row.size()});
  bytes_ += row;
  size_ += row.size();
  keep(record);
}

void HeldRecords::add_bad(const Record& record, BadRecord bad) {
  keep(record);
  records_.back().bad = std::move(bad);
}

Record HeldRecords::record(std::size_t index) const {
  const auto& copy = records_[index];
  return {.offset = copy.offset,
          .timestamp_ms = copy.timestamp_ms,
          .key = copy.key,
          .value = copy.value,
          .headers = {&copy, [](const void* message, std::vector<Header>& into) {
                        const auto& held = *static_cast<const Copy*>(message);
                        for (const auto& [name, value] : held.headers) {
                          into.push_back({name, value});
                        }
                      }}};
}

}  // namespace semel::postgres
