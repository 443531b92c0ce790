// Kafka's answers as bytes: what a proxy finds in them, and what it alters where it stands. Only
// versions before the flexible ones are understood, so a proxy lowers what brokers offer first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace semel::test {

/// Kafka's ApiKey; any other number is one, too.
enum class Api : std::int16_t {
  fetch = 1,
  list_offsets = 2,
  metadata = 3,
  find_coordinator = 10,
  sasl_handshake = 17,
  api_versions = 18,
  end_txn = 26,
  sasl_authenticate = 36,
};

struct RequestHeader {
  Api api{};
  std::int16_t version = 0;
  std::int32_t correlation = 0;
};
/// `frame` without its length. Throws std::out_of_range where it is too short.
RequestHeader request_header(std::string_view frame);

/// What is wrong with one batch of a Fetch answer.
enum class Damage : std::uint8_t {
  magic,        ///< a version that nobody knows; outside the checksum
  base_offset,  ///< another offset for all of its records (`delta` further); outside the checksum
  length,       ///< it ends `delta` bytes later; outside the checksum
  content,      ///< one byte of its records; the checksum tells
};
struct DamagedBatch {
  std::string topic;            ///< empty: of any topic
  std::int32_t partition = -1;  ///< negative: any
  std::int64_t offset = -1;     ///< the batch that holds it; negative: any
  Damage damage = Damage::content;
  std::int64_t delta = 1;
  int times = -1;  ///< how often; negative: always
};

using Partition = std::pair<std::string, std::int32_t>;

/// What to alter. Everything is altered in place: no answer changes its length.
struct Alterations {
  /// The port of the proxy that stands for a broker's.
  std::function<int(int port)> port_for;
  std::set<Partition> leaderless;
  std::map<std::pair<Api, Partition>, std::int16_t> errors;  ///< for Fetch and ListOffsets
  std::string cluster_id;  ///< empty, or of the same length as the cluster's own
  std::vector<DamagedBatch> damaged;
  int damages = 0;  ///< how many batches were damaged
};

/// Alters `frame`, an answer without its length to a request with this header. Throws
/// std::out_of_range where it is not what the protocol says.
void alter_answer(const RequestHeader& asked, std::string& frame, Alterations& alterations);

/// The proxy's own answers to a login: one mechanism, PLAIN, and whoever comes is welcome or not.
/// With the length in front.
std::string login_answer(const RequestHeader& asked, bool refused);

}  // namespace semel::test
