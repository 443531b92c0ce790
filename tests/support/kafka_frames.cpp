#include "support/kafka_frames.hpp"

#include <algorithm>
#include <stdexcept>
#include <type_traits>

namespace semel::test {

namespace {

/// The highest versions that are read here: the last ones before lengths became variable.
const std::map<Api, std::int16_t> newest{{Api::fetch, 11},         {Api::list_offsets, 5},
                                         {Api::metadata, 8},       {Api::find_coordinator, 2},
                                         {Api::sasl_handshake, 1}, {Api::sasl_authenticate, 1}};

constexpr std::int16_t leader_not_available = 5;
constexpr std::int16_t sasl_authentication_failed = 58;

/// Goes over the bytes of an answer; what it has read it can write over.
class Cursor {
 public:
  explicit Cursor(std::string& bytes) : bytes_(bytes), end_(bytes.size()) {}

  template <class T>
  T read() {
    const auto at = take(sizeof(T));
    std::make_unsigned_t<T> value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      value = static_cast<std::make_unsigned_t<T>>((value << 8) |
                                                   static_cast<unsigned char>(bytes_[at + i]));
    }
    return static_cast<T>(value);
  }
  /// Over the value of this type that was read last.
  template <class T>
  void overwrite(T value) {
    overwrite_at(at_ - sizeof(T), value);
  }
  template <class T>
  void overwrite_at(std::size_t at, T value) {
    auto rest = static_cast<std::make_unsigned_t<T>>(value);
    for (std::size_t i = sizeof(T); i-- > 0; rest = static_cast<decltype(rest)>(rest >> 8)) {
      bytes_.at(at + i) = static_cast<char>(rest & 0xff);
    }
  }
  std::string_view text() {
    const auto size = read<std::int16_t>();
    return size < 0 ? std::string_view() : view(static_cast<std::size_t>(size));
  }
  std::string_view view(std::size_t size) {
    return std::string_view(bytes_).substr(take(size), size);
  }
  std::uint32_t variable() {
    std::uint32_t value = 0;
    for (int shift = 0; shift < 35; shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes_[take(1)]);
      value |= static_cast<std::uint32_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    throw std::out_of_range("a number without end");
  }
  void skip(std::size_t size) { take(size); }
  template <class Each>
  void array(Each&& each) {
    for (auto count = read<std::int32_t>(); count > 0; --count) each();
  }
  void skip_numbers() {
    array([&] { skip(4); });
  }

  std::size_t at() const { return at_; }
  std::size_t left() const { return end_ - at_; }
  char& byte(std::size_t at) { return bytes_.at(at); }

 private:
  std::size_t take(std::size_t size) {
    if (size > end_ - at_) throw std::out_of_range("the answer is too short");
    return std::exchange(at_, at_ + size);
  }

  std::string& bytes_;
  std::size_t end_;
  std::size_t at_ = 0;
};

void lower_versions(Cursor& cursor, bool flexible) {
  if (cursor.read<std::int16_t>() != 0) return;
  auto count =
      flexible ? static_cast<std::int32_t>(cursor.variable()) - 1 : cursor.read<std::int32_t>();
  for (; count > 0; --count) {
    const auto api = Api{cursor.read<std::int16_t>()};
    cursor.skip(2);
    const auto known = newest.find(api);
    if (const auto offered = cursor.read<std::int16_t>();
        known != newest.end() && offered > known->second) {
      cursor.overwrite(known->second);
    }
    if (flexible && cursor.variable() != 0) throw std::out_of_range("tagged fields");
  }
}

void alter_address(Cursor& cursor, const Alterations& alterations) {
  cursor.text();
  const auto port = cursor.read<std::int32_t>();
  if (port > 0) cursor.overwrite(std::int32_t{alterations.port_for(port)});
}

void alter_metadata(Cursor& cursor, int version, const Alterations& alterations) {
  if (version >= 3) cursor.skip(4);
  cursor.array([&] {
    cursor.skip(4);
    alter_address(cursor, alterations);
    if (version >= 1) cursor.text();
  });
  if (version >= 2) {
    const auto size = cursor.text().size();
    if (size == alterations.cluster_id.size()) {
      for (std::size_t i = 0; i < size; ++i) {
        cursor.byte(cursor.at() - size + i) = alterations.cluster_id[i];
      }
    }
  }
  if (version >= 1) cursor.skip(4);
  cursor.array([&] {
    cursor.skip(2);
    const std::string topic(cursor.text());
    if (version >= 1) cursor.skip(1);
    cursor.array([&] {
      cursor.skip(2);
      const auto error_at = cursor.at() - 2;
      const auto partition = cursor.read<std::int32_t>();
      cursor.skip(4);
      if (alterations.leaderless.contains({topic, partition})) {
        cursor.overwrite(std::int32_t{-1});
        cursor.overwrite_at(error_at, leader_not_available);
      }
      if (version >= 7) cursor.skip(4);
      cursor.skip_numbers();
      cursor.skip_numbers();
      if (version >= 5) cursor.skip_numbers();
    });
    if (version >= 8) cursor.skip(4);
  });
}

void alter_coordinator(Cursor& cursor, int version, const Alterations& alterations) {
  if (version >= 1) cursor.skip(4);
  cursor.skip(2);
  if (version >= 1) cursor.text();
  cursor.skip(4);
  alter_address(cursor, alterations);
}

/// Over the error that was read last, if one is wanted.
void alter_error(Cursor& cursor, Api api, const Partition& partition,
                 const Alterations& alterations) {
  const auto error = alterations.errors.find({api, partition});
  if (error != alterations.errors.end()) cursor.overwrite(error->second);
}

void alter_offsets(Cursor& cursor, int version, const Alterations& alterations) {
  if (version < 1) throw std::out_of_range("a version from before Kafka 0.10.1");
  if (version >= 2) cursor.skip(4);
  cursor.array([&] {
    const std::string topic(cursor.text());
    cursor.array([&] {
      const auto partition = cursor.read<std::int32_t>();
      cursor.skip(2);
      alter_error(cursor, Api::list_offsets, {topic, partition}, alterations);
      cursor.skip(16);
      if (version >= 4) cursor.skip(4);
    });
  });
}

// A batch: its base offset, the length of what follows, a leader's epoch, the version; from version
// 2 on a checksum of all behind it: attributes, and the last record's distance to the base offset.
constexpr std::size_t length_at = 8;
constexpr std::size_t magic_at = 16;
constexpr std::size_t last_delta_at = 23;
constexpr std::size_t header_size = 61;

void damage(Cursor& cursor, std::size_t batch, std::size_t size, std::int64_t base,
            const DamagedBatch& wanted) {
  switch (wanted.damage) {
    case Damage::magic:
      cursor.byte(batch + magic_at) = 9;
      break;
    case Damage::base_offset:
      cursor.overwrite_at(batch, base + wanted.delta);
      break;
    case Damage::length:
      cursor.overwrite_at(
          batch + length_at,
          static_cast<std::int32_t>(static_cast<std::int64_t>(size - 12) + wanted.delta));
      break;
    case Damage::content:
      cursor.byte(batch + size - 1) = static_cast<char>(cursor.byte(batch + size - 1) ^ 0x55);
      break;
  }
}

void alter_batches(Cursor& cursor, const Partition& partition, std::size_t end,
                   Alterations& alterations) {
  while (end - cursor.at() > header_size) {
    const auto batch = cursor.at();
    const auto base = cursor.read<std::int64_t>();
    const auto size = static_cast<std::size_t>(cursor.read<std::int32_t>()) + length_at + 4;
    if (size < header_size || size > end - batch) return;  // the last one may be cut off
    cursor.skip(last_delta_at - length_at - 4);
    const auto last = base + cursor.read<std::int32_t>();
    for (auto& wanted : alterations.damaged) {
      const bool here = (wanted.topic.empty() || wanted.topic == partition.first) &&
                        (wanted.partition < 0 || wanted.partition == partition.second) &&
                        (wanted.offset < 0 || (base <= wanted.offset && wanted.offset <= last));
      if (!here || wanted.times == 0) continue;
      if (wanted.times > 0) --wanted.times;
      ++alterations.damages;
      damage(cursor, batch, size, base, wanted);
    }
    cursor.skip(size - (cursor.at() - batch));
  }
}

void alter_fetched(Cursor& cursor, int version, Alterations& alterations) {
  if (version >= 1) cursor.skip(4);
  if (version >= 7) cursor.skip(6);
  cursor.array([&] {
    const std::string topic(cursor.text());
    cursor.array([&] {
      const Partition partition{topic, cursor.read<std::int32_t>()};
      cursor.skip(2);
      alter_error(cursor, Api::fetch, partition, alterations);
      cursor.skip(8);
      if (version >= 4) cursor.skip(8);
      if (version >= 5) cursor.skip(8);
      if (version >= 4) cursor.array([&] { cursor.skip(16); });
      if (version >= 11) cursor.skip(4);
      const auto size = cursor.read<std::int32_t>();
      if (size <= 0) return;
      const auto end = cursor.at() + static_cast<std::size_t>(size);
      if (static_cast<std::size_t>(size) > cursor.left()) {
        throw std::out_of_range("records past the answer's end");
      }
      alter_batches(cursor, partition, end, alterations);
      cursor.skip(end - cursor.at());
    });
  });
}

template <class T>
void append(std::string& to, T value) {
  for (std::size_t i = sizeof(T); i-- > 0;) to += static_cast<char>((value >> (8 * i)) & 0xff);
}

void append_text(std::string& to, std::string_view text) {
  append(to, static_cast<std::int16_t>(text.size()));
  to += text;
}

}  // namespace

RequestHeader request_header(std::string_view frame) {
  std::string head(frame.substr(0, 8));
  Cursor cursor(head);
  RequestHeader header;
  header.api = Api{cursor.read<std::int16_t>()};
  header.version = cursor.read<std::int16_t>();
  header.correlation = cursor.read<std::int32_t>();
  return header;
}

void alter_answer(const RequestHeader& asked, std::string& frame, Alterations& alterations) {
  Cursor cursor(frame);
  cursor.skip(4);
  switch (asked.api) {
    case Api::api_versions:
      return lower_versions(cursor, asked.version >= 3);
    case Api::metadata:
      return alter_metadata(cursor, asked.version, alterations);
    case Api::find_coordinator:
      return alter_coordinator(cursor, asked.version, alterations);
    case Api::list_offsets:
      return alter_offsets(cursor, asked.version, alterations);
    case Api::fetch:
      return alter_fetched(cursor, asked.version, alterations);
    default:
      return;
  }
}

std::string login_answer(const RequestHeader& asked, bool refused) {
  std::string body;
  append(body, asked.correlation);
  if (asked.api == Api::sasl_handshake) {
    append(body, std::int16_t{0});
    append(body, std::int32_t{1});
    append_text(body, "PLAIN");
  } else {
    append(body, refused ? sasl_authentication_failed : std::int16_t{0});
    append_text(body, refused ? "Authentication failed: Invalid username or password" : "");
    append(body, std::int32_t{0});
    if (asked.version >= 1) append(body, std::int64_t{0});
  }
  std::string frame;
  append(frame, static_cast<std::int32_t>(body.size()));
  return frame + body;
}

}  // namespace semel::test
