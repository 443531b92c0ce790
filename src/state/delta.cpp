#include "state/delta.hpp"

#include <zlib.h>

#include <utility>

namespace semel::state {

namespace {

// Stored: do not change. What is written otherwise has another number here.
constexpr char encoding = 1;

void put_number(std::string& out, std::uint64_t number) {
  // Seven bits to a byte, the lowest first, as Protocol Buffers have it.
  for (; number >= 0x80; number >>= 7) out += static_cast<char>(number | 0x80);
  out += static_cast<char>(number);
}

void put_text(std::string& out, std::string_view text) {
  put_number(out, text.size());
  out += text;
}

/// Reads from the front; what is not there makes it bad, and everything it gives empty.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : left_(bytes) {
    if (left_.empty() || left_.front() != encoding) bad_ = true;
    if (!bad_) left_.remove_prefix(1);
  }

  std::uint64_t number() {
    std::uint64_t number = 0;
    for (int shift = 0; shift < 64 && !left_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(left_.front());
      left_.remove_prefix(1);
      number |= std::uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return number;
    }
    bad_ = true;
    return 0;
  }
  std::string text() {
    const auto size = number();
    if (bad_ || size > left_.size()) {
      bad_ = true;
      return {};
    }
    const std::string text(left_.substr(0, size));
    left_.remove_prefix(size);
    return text;
  }
  bool more() const { return !bad_ && !left_.empty(); }
  bool whole() const { return !bad_ && left_.empty(); }

 private:
  std::string_view left_;
  bool bad_ = false;
};

void put_version(std::string& out, const Version& version) {
  put_number(out, static_cast<std::uint64_t>(version.time.ms));
  put_number(out, version.name);
}

Version take_version(Bytes& bytes) {
  const auto time = static_cast<std::int64_t>(bytes.number());
  return {{time}, bytes.number()};
}

}  // namespace

std::string encode(const Delta& delta) {
  std::string out(1, encoding);
  for (const auto& [key, value] : delta) {
    put_text(out, key);
    put_number(out, value ? 1 : 0);
    if (value) put_text(out, *value);
  }
  return out;
}

std::optional<Delta> decode_delta(std::string_view encoded) {
  Bytes bytes(encoded);
  Delta delta;
  while (bytes.more()) {
    auto key = bytes.text();
    const bool there = bytes.number() == 1;
    delta[std::move(key)] = there ? std::optional(bytes.text()) : std::nullopt;
  }
  if (!bytes.whole()) return std::nullopt;
  return delta;
}

std::uint32_t checksum(std::string_view bytes) {
  return static_cast<std::uint32_t>(
      crc32_z(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

std::string encode(const Version& version) {
  std::string out(1, encoding);
  put_version(out, version);
  return out;
}

std::optional<Version> decode_version(std::string_view encoded) {
  Bytes bytes(encoded);
  const auto version = take_version(bytes);
  if (!bytes.whole()) return std::nullopt;
  return version;
}

std::string encode(const Prepared& prepared) {
  std::string out(1, encoding);
  put_version(out, prepared.version);
  put_version(out, prepared.parent);
  put_number(out, prepared.checksum);
  for (const auto& range : prepared.ranges) {
    put_text(out, range.tp.topic);
    put_number(out, static_cast<std::uint64_t>(range.tp.partition));
    put_number(out, static_cast<std::uint64_t>(range.from));
    put_number(out, static_cast<std::uint64_t>(range.until));
  }
  return out;
}

std::optional<Prepared> decode_prepared(std::string_view encoded) {
  Bytes bytes(encoded);
  Prepared prepared;
  prepared.version = take_version(bytes);
  prepared.parent = take_version(bytes);
  prepared.checksum = static_cast<std::uint32_t>(bytes.number());
  while (bytes.more()) {
    OffsetRange range;
    range.tp.topic = bytes.text();
    range.tp.partition = static_cast<std::int32_t>(bytes.number());
    range.from = static_cast<Offset>(bytes.number());
    range.until = static_cast<Offset>(bytes.number());
    prepared.ranges.push_back(std::move(range));
  }
  if (!bytes.whole()) return std::nullopt;
  return prepared;
}

}  // namespace semel::state
