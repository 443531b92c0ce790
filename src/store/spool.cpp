#include "store/spool.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

namespace semel::store {

namespace {

// A record in the spool: its length without this, and then its parts; numbers are as this machine
// has them. A length of `none` is of something that is not there. What is set aside says so beside
// its task, and why in front of its headers.
using Length = std::uint64_t;
constexpr Length none = ~Length{0};
constexpr std::uint64_t aside = std::uint64_t{1} << 63U;

template <class Number>
void append_number(std::string& to, Number number) {
  to.append(reinterpret_cast<const char*>(&number), sizeof number);
}

void append_bytes(std::string& to, std::optional<std::string_view> bytes) {
  append_number(to, bytes ? Length{bytes->size()} : none);
  if (bytes) to.append(*bytes);
}

template <class Number>
Number take(std::string_view& from) {
  Number number;
  std::memcpy(&number, from.data(), sizeof number);
  from.remove_prefix(sizeof number);
  return number;
}

std::optional<std::string_view> take_bytes(std::string_view& from) {
  const auto length = take<Length>(from);
  if (length == none) return std::nullopt;
  const auto bytes = from.substr(0, length);
  from.remove_prefix(length);
  return bytes;
}

/// `message` is the part of a spooled record that has its headers.
void read_headers(const void* message, std::vector<Header>& into) {
  auto rest = *static_cast<const std::string_view*>(message);
  while (!rest.empty()) {
    const auto name = take_bytes(rest);
    const auto value = take_bytes(rest);
    into.push_back({*name, value});
  }
}

void append_bad(std::string& to, const record::BadRecord& bad) {
  append_number(to, bad.fault);
  for (const auto* text : {&bad.column, &bad.code, &bad.reason, &bad.told}) append_bytes(to, *text);
}

record::BadRecord take_bad(std::string_view& from) {
  record::BadRecord bad{.fault = take<record::Fault>(from)};
  for (auto* text : {&bad.column, &bad.code, &bad.reason, &bad.told}) *text = *take_bytes(from);
  return bad;
}

/// What `bytes` begins with: a whole record with its length in front, or nothing.
Length whole_record(std::string_view bytes) {
  if (bytes.size() < sizeof(Length)) return 0;
  const auto length = take<Length>(bytes);
  return bytes.size() < length ? 0 : sizeof(Length) + length;
}

Result<void> show(std::string_view bytes, const Spool::See& see) {
  (void)take<Length>(bytes);
  const auto task = take<std::uint64_t>(bytes);
  Record record;
  record.offset = take<Offset>(bytes);
  record.timestamp_ms = take<std::int64_t>(bytes);
  record.key = take_bytes(bytes);
  record.value = take_bytes(bytes);
  std::optional<record::BadRecord> bad;
  if ((task & aside) != 0) bad = take_bad(bytes);
  if (!bytes.empty()) record.headers = {&bytes, read_headers};
  return see(task & ~aside, record, bad ? &*bad : nullptr);
}

}  // namespace

Spool::~Spool() {
  if (file_ >= 0) close(file_);
}

Result<void> Spool::fail_with(const char* what) const {
  const auto error = errno;
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  return fail(full ? ErrorKind::unavailable : ErrorKind::retriable, Cause::sink,
              fmt::format("the records of a range do not fit into memory, and a temporary file in "
                          "{} cannot be {}: {}; free space there, or set TMPDIR to another "
                          "directory",
                          directory_, what, std::generic_category().message(error)));
}

Result<void> Spool::to_file() {
  if (file_ < 0) {
    if (directory_.empty()) {
      std::error_code ignored;
      directory_ = std::filesystem::temp_directory_path(ignored).string();
    }
    auto path = directory_ + "/semel-XXXXXX";
    file_ = mkostemp(path.data(), O_CLOEXEC);
    if (file_ < 0) return fail_with("made");
    unlink(path.c_str());
  }
  std::string_view rest = memory_;
  auto at = in_file_;
  while (!rest.empty()) {
    const auto written = pwrite(file_, rest.data(), rest.size(), static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_with("written");
    at += static_cast<std::uint64_t>(written);
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  in_file_ = at;
  memory_.clear();
  return {};
}

Result<void> Spool::add(std::size_t task, const Record& record, const record::BadRecord* bad) {
  const auto at = memory_.size();
  append_number(memory_, Length{0});
  append_number(memory_, std::uint64_t{task} | (bad != nullptr ? aside : 0));
  append_number(memory_, record.offset);
  append_number(memory_, record.timestamp_ms);
  append_bytes(memory_, record.key);
  append_bytes(memory_, record.value);
  if (bad != nullptr) append_bad(memory_, *bad);
  for (const auto& [name, value] : record.headers()) {
    append_bytes(memory_, name);
    append_bytes(memory_, value);
  }
  const auto length = Length{memory_.size() - at - sizeof(Length)};
  std::memcpy(memory_.data() + at, &length, sizeof length);
  return memory_.size() < memory_max_ ? Result<void>{} : to_file();
}

Result<void> Spool::each(const See& see) {
  constexpr std::size_t piece = std::size_t{64} << 10;
  std::string read;
  for (std::uint64_t at = 0; at < in_file_;) {
    const auto kept = read.size();
    read.resize(kept + std::min<std::uint64_t>(piece, in_file_ - at));
    const auto got = pread(file_, read.data() + kept, read.size() - kept, static_cast<off_t>(at));
    if (got < 0 && errno != EINTR) return fail_with("read");
    read.resize(kept + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) {
      errno = EIO;
      return fail_with("read");
    }
    at += static_cast<std::uint64_t>(std::max<ssize_t>(got, 0));
    std::string_view rest = read;
    for (auto length = whole_record(rest); length > 0; length = whole_record(rest)) {
      if (auto seen = show(rest.substr(0, length), see); !seen) return seen;
      rest.remove_prefix(length);
    }
    read.erase(0, read.size() - rest.size());
  }
  std::string_view rest = memory_;
  for (auto length = whole_record(rest); length > 0; length = whole_record(rest)) {
    if (auto seen = show(rest.substr(0, length), see); !seen) return seen;
    rest.remove_prefix(length);
  }
  return {};
}

void Spool::clear() noexcept {
  memory_.clear();
  // One large record is no reason to keep its memory for ever.
  if (memory_.capacity() > 2 * memory_max_) memory_ = std::string();
  if (in_file_ > 0) (void)!ftruncate(file_, 0);
  in_file_ = 0;
}

}  // namespace semel::store
