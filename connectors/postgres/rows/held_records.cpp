#include "postgres/rows/held_records.hpp"

namespace semel::postgres {

void HeldRecords::clear() {
  records_.clear();
  parts_.clear();
  bad_.clear();
  rows_.clear();
  bytes_.clear();
}

void HeldRecords::add(const Record& record, std::span<const PlacedRow> rows,
                      std::string_view bytes) {
  for (auto row : rows) {
    row.record = records_.size();
    row.begin += bytes_.size();
    row.end += bytes_.size();
    rows_.push_back(row);
  }
  bytes_ += bytes;
  records_.add(record);
  parts_.push_back(rows.front().part);
  bad_.emplace_back();
}

void HeldRecords::add_bad(const Record& record, BadRecord bad, std::size_t part) {
  records_.add(record);
  parts_.push_back(part);
  bad_.emplace_back(std::move(bad));
}

}  // namespace semel::postgres
