#include "postgres/rows/held_records.hpp"

namespace semel::postgres {

void HeldRecords::clear() {
  records_.clear();
  parts_.clear();
  bad_.clear();
  rows_.clear();
  bytes_.clear();
}

void HeldRecords::add(const Record& record, std::uint32_t column_set, std::string_view row,
                      std::size_t part) {
  rows_.push_back({records_.size(), column_set, bytes_.size(), bytes_.size() + row.size(), part});
  bytes_ += row;
  records_.add(record);
  parts_.push_back(part);
  bad_.emplace_back();
}

void HeldRecords::add_bad(const Record& record, BadRecord bad, std::size_t part) {
  records_.add(record);
  parts_.push_back(part);
  bad_.emplace_back(std::move(bad));
}

}  // namespace semel::postgres
