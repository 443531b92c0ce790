#include "bench/semel/baselines/block_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace semel::bench {

namespace {

constexpr std::uint32_t stored = 0x424C4B31;  // "BLK1"
constexpr std::uint32_t processed = 0x444F4E45;

struct Header {
  std::uint32_t type = 0;
  std::uint32_t checksum = 0;  ///< of the payload
  std::uint64_t id = 0;
  std::uint64_t size = 0;
};

std::uint32_t checksum_of(std::string_view bytes) {
  return static_cast<std::uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

tl::unexpected<Error> not_logged(const std::string& doing) {
  return fail(ErrorKind::fatal, Cause::state,
              fmt::format("{}: {}", doing, std::generic_category().message(errno)));
}

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <class T>
T take(std::string_view& bytes) {
  T value{};
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes.remove_prefix(sizeof value);
  return value;
}

}  // namespace

void Block::add(const kafka::GroupRecord& record) {
  const auto value = record.record.value.value_or(std::string_view());
  put(bytes, record.partition);
  put(bytes, static_cast<std::uint32_t>(value.size()));
  bytes += value;
  ++records;
  next[record.partition] = record.record.offset + 1;
}

std::vector<std::pair<std::int32_t, std::string_view>> Block::read() const {
  std::vector<std::pair<std::int32_t, std::string_view>> all;
  std::string_view rest = bytes;
  while (rest.size() >= 8) {
    const auto partition = take<std::int32_t>(rest);
    const auto size = take<std::uint32_t>(rest);
    all.emplace_back(partition, rest.substr(0, size));
    rest.remove_prefix(std::min<std::size_t>(size, rest.size()));
  }
  return all;
}

Result<Unprocessed> read_logs(const std::string& directory, int worker) {
  Unprocessed found;
  const auto prefix = fmt::format("worker-{}-", worker);
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().filename().string().starts_with(prefix)) found.files.push_back(entry.path());
  }
  std::sort(found.files.begin(), found.files.end());
  std::map<std::uint64_t, Block> blocks;
  for (const auto& name : found.files) {
    std::ifstream file(name, std::ios::binary);
    Header header;
    while (file.read(reinterpret_cast<char*>(&header), sizeof header)) {
      std::string payload(header.size, '\0');
      if (!file.read(payload.data(), static_cast<std::streamsize>(header.size))) break;
      if (checksum_of(payload) != header.checksum) break;
      if (header.type == processed) {
        blocks.erase(header.id);
      } else {
        Block block;
        block.id = header.id;
        block.bytes = std::move(payload);
        blocks[header.id] = std::move(block);
      }
    }
  }
  for (auto& [id, block] : blocks) found.blocks.push_back(std::move(block));
  return found;
}

Result<BlockLog> BlockLog::create(const std::string& directory, int worker, int start) {
  const auto name = fmt::format("{}/worker-{}-{:06}", directory, worker, start);
  const int file = ::open(name.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) return not_logged("cannot make the write-ahead log " + name);
  // The file's name must survive as well.
  const int folder = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    ::fsync(folder);
    ::close(folder);
  }
  return BlockLog(file);
}

BlockLog::~BlockLog() {
  if (file_ >= 0) ::close(file_);
}

BlockLog::BlockLog(BlockLog&& other) noexcept : file_(std::exchange(other.file_, -1)) {}

Result<void> BlockLog::append(std::uint32_t type, std::uint64_t id, std::string_view payload) {
  Header header{type, checksum_of(payload), id, payload.size()};
  iovec parts[2] = {{&header, sizeof header}, {const_cast<char*>(payload.data()), payload.size()}};
  const auto wanted = static_cast<ssize_t>(sizeof header + payload.size());
  if (::writev(file_, parts, 2) != wanted || ::fdatasync(file_) != 0) {
    return not_logged("cannot write the write-ahead log");
  }
  return {};
}

Result<void> BlockLog::store(const Block& block) {
  return append(stored, block.id, block.bytes);
}

Result<void> BlockLog::mark_processed(std::uint64_t id) {
  return append(processed, id, {});
}

}  // namespace semel::bench
