#include "encode_loop.hpp"

#include <stdexcept>
#include <utility>

namespace semel::shapes {
namespace {

postgres::RowEncoder encoder_of(const Shape& shape) {
  auto encoder = postgres::RowEncoder::make(shape.table, shape.options);
  if (!encoder) throw std::runtime_error(shape.name + ": " + encoder.error().message);
  return *std::move(encoder);
}

}  // namespace

EncodeLoop::EncodeLoop(const Shape& shape, TopicPartition tp) : encoder_(encoder_of(shape)) {
  shared_.owner = {.pipeline = "instructions", .output = "default", .id = {}, .description = {}};
  task_.range.tp = std::move(tp);
}

void EncodeLoop::drop() {
  row_bytes_ += stream_.buffer().size();
  stream_.buffer().clear();
}

void EncodeLoop::write(std::span<const Record> records) {
  for (const auto& record : records) {
    auto& out = stream_.buffer();
    const auto began_at = out.size();
    const auto encoded = encoder_.encode(task_.range.tp, record, out);
    switch (encoded.status) {
      case record::Fate::row:
        ++rows_;
        tally_.good();
        stream_.placed(began_at, encoded.column_set);
        if (stream_.wants_flush()) drop();
        break;
      case record::Fate::removal:
      case record::Fate::ignored:
      case record::Fate::unavailable:
        break;
      case record::Fate::bad:
        ++bad_;
        tally_.bad(record.offset, encoder_.bad());
        dead_letters_.add(shared_, task_, record, encoder_.bad(), false);
        if (dead_letters_.wants_send()) dead_letters_.clear();
    }
  }
}

}  // namespace semel::shapes
