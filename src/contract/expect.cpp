#include "contract/expect.hpp"

#include <semel/names.hpp>

namespace semel::contract {

// Here, so that a program that catches it across a library's border knows the same type.
Broken::Broken(const std::string& message) : std::runtime_error(message) {}
Broken::~Broken() = default;
Skipped::Skipped(const std::string& why) : std::runtime_error(why) {}
Skipped::~Skipped() = default;

std::string told(bool value) {
  return value ? "true" : "false";
}

std::string told(std::string_view text) {
  constexpr std::size_t shown = 1'000;
  constexpr std::string_view digits = "0123456789abcdef";
  std::string all = "\"";
  for (const char c : text.substr(0, shown)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= ' ' && byte < 0x7f) {
      all += c;
    } else {
      all += {'\\', 'x', digits[byte / 16], digits[byte % 16]};
    }
  }
  all += '"';
  if (text.size() > shown) all += " and more, " + std::to_string(text.size()) + " bytes in all";
  return all;
}

std::string told(ErrorKind kind) {
  const auto name = name_of(kind);
  return name.empty() ? "no kind of error" : std::string(name);
}

std::string told(Cause cause) {
  switch (cause) {
    case Cause::internal:
      return "internal";
    case Cause::configuration:
      return "configuration";
    case Cause::source:
      return "source";
    case Cause::sink:
      return "sink";
    case Cause::state:
      return "state";
    case Cause::data_loss:
      return "data_loss";
    case Cause::bad_record:
      return "bad_record";
    case Cause::fenced:
      return "fenced";
    case Cause::program:
      return "program";
  }
  return "no cause";
}

std::string told(MoveKind kind) {
  switch (kind) {
    case MoveKind::start:
      return "start";
    case MoveKind::commit:
      return "commit";
    case MoveKind::lost:
      return "lost";
    case MoveKind::set:
      return "set";
  }
  return "no kind of move";
}

std::string told(OwnerState state) {
  const auto name = name_of(state);
  return name.empty() ? "no state" : std::string(name);
}

std::string told(Guarantee guarantee) {
  switch (guarantee) {
    case Guarantee::none:
      return "none";
    case Guarantee::idempotent:
      return "idempotent";
    case Guarantee::transactional:
      return "transactional";
  }
  return "no guarantee there is";
}

std::string told(const TopicPartition& tp) {
  return tp.topic + "[" + std::to_string(tp.partition) + "]";
}

std::string told(const RecordMark& mark) {
  return "the record at " + std::to_string(mark.offset) + " of " +
         std::to_string(mark.timestamp_ms) + " with checksum " + std::to_string(mark.checksum);
}

std::string told(const StateVersion& version) {
  return "batch " + std::to_string(version.time.ms) + ", name " + std::to_string(version.name);
}
std::string told(BatchTime time) {
  return std::to_string(time.ms);
}

std::string told(const std::vector<Offset>& offsets) {
  std::string all;
  for (std::size_t i = 0; i < offsets.size();) {
    auto end = i + 1;
    while (end < offsets.size() && offsets[end] == offsets[end - 1] + 1) ++end;
    if (!all.empty()) all += ", ";
    all += std::to_string(offsets[i]);
    if (end - i > 1) all += " to " + std::to_string(offsets[end - 1]);
    i = end;
  }
  return all.empty() ? "none" : all;
}

void skip(const std::string& why) {
  throw Skipped(why);
}

void broken(std::string_view what, const std::string& expected, const std::string& came) {
  throw Broken(std::string(what) + ": expected " + expected + ", came " + came);
}

void holds(std::string_view what, bool is_so) {
  if (!is_so) throw Broken("it is not so that " + std::string(what));
}

}  // namespace semel::contract
