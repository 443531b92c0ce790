#include "kafka/fetched_messages.hpp"

namespace semel::kafka {

namespace {

void read_headers(const void* message, std::vector<Header>& headers) {
  rd_kafka_headers_t* raw = nullptr;
  const auto* of = static_cast<const rd_kafka_message_t*>(message);
  if (rd_kafka_message_headers(of, &raw) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0;
       rd_kafka_header_get_all(raw, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
    Header header{.name = name, .value = std::nullopt};
    if (value != nullptr) header.value.emplace(static_cast<const char*>(value), size);
    headers.push_back(header);
  }
}

}  // namespace

Record record_of(const rd_kafka_message_t& message) {
  Record record{.offset = message.offset};
  rd_kafka_timestamp_type_t kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  const auto timestamp = rd_kafka_message_timestamp(&message, &kind);
  if (kind != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE) record.timestamp_ms = timestamp;
  if (message.key != nullptr) {
    record.key.emplace(static_cast<const char*>(message.key), message.key_len);
  }
  if (message.payload != nullptr) {
    record.value.emplace(static_cast<const char*>(message.payload), message.len);
  }
  record.headers = {&message, &read_headers};
  return record;
}

}  // namespace semel::kafka
