#include <semel/record.hpp>

#include <zlib.h>

namespace semel {

namespace {

std::uint32_t add(std::uint32_t checksum, const std::optional<std::string_view>& part) {
  if (!part) return checksum;
  return static_cast<std::uint32_t>(
      crc32_z(checksum, reinterpret_cast<const Bytef*>(part->data()), part->size()));
}

}  // namespace

// Stored: do not change. The ledger has the marks of other versions, and another checksum is
// another log.
RecordMark mark_of(const Record& record) {
  return {record.offset, record.timestamp_ms, add(add(0, record.key), record.value)};
}

}  // namespace semel
