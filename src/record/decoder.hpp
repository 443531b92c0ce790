// What makes values of a record's bytes. Formats implement it (src/formats); sinks meet it through
// a Reader (reader.hpp).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <semel/error.hpp>

#include "record/mapping.hpp"
#include "record/member_names.hpp"
#include "record/value.hpp"

namespace semel::record {

enum class DecodeStatus : std::uint8_t {
  decoded,
  malformed,    ///< these bytes never become values: the record is bad
  unavailable,  ///< what is needed to read them cannot be had now: the record may be good
};

struct Decoded {
  DecodeStatus status = DecodeStatus::decoded;
  std::uint32_t unknown_fields = 0;  ///< members at the top that no path begins with
};

/// Of one session: not thread safe. Keeps its buffers, so that a record allocates nothing once they
/// have grown. decode() is the only call that every record makes.
class Decoder {
 public:
  virtual ~Decoder() = default;

  /// Before the first record: what stands at `path` goes into `slot`; an empty path is the whole
  /// value. `bytes`: whoever reads the slot stores any bytes, so that nothing has to be text. Fails
  /// (fatal, configuration) where no value of this format has anything there.
  virtual Result<void> bind(std::span<const Step> path, std::uint32_t slot, bool bytes) = 0;

  /// The same of a member at the top that is called as `name` is to `names`, which is not exact,
  /// and whose name nobody else binds. Of several such members the last one counts.
  virtual Result<void> bind_like(std::string_view /*name*/, Names names, std::uint32_t /*slot*/) {
    return fail(ErrorKind::fatal, Cause::configuration,
                "names = \"" + std::string(name_of(names)) + "\" is of JSON");
  }
  /// Before the first record: numbers may be NaN and Infinity, as some write them in JSON.
  virtual void accept_nan() {}

  /// One record's value, whole: also what nobody wants has to be well formed. Slots without a value
  /// are left alone. What they refer to is valid until the next call, and as long as `value` is.
  virtual Decoded decode(std::string_view value, std::span<Value> slots) = 0;

  // About the last call of decode(), whose `value` it was. A format need not know how to say what
  // cannot happen to it.

  /// Where it was malformed: why, as the beginning of a sentence.
  virtual std::string why_malformed(std::string_view /*value*/) { return {}; }
  /// Where it was unavailable: what cannot be had (kind unavailable or retriable).
  virtual Error why_unavailable() const { return {}; }
  /// Where no slot got a value: why that is no record for these columns; empty: it is a record
  /// without any value. `own_names` are columns that come from a member of their name; `setting`
  /// is where mappings are written.
  virtual std::string why_nothing(std::string_view /*value*/,
                                  std::span<const std::string> /*own_names*/,
                                  std::string_view /*setting*/) {
    return {};
  }
  /// The first of the unknown fields.
  virtual std::string_view unknown_field() const { return {}; }
};

/// Immutable, or thread safe: all sessions share one.
class Format {
 public:
  virtual ~Format() = default;

  /// As the configuration spells it.
  virtual std::string_view name() const = 0;
  /// Whether a value has members. Where it has none, columns are not looked for by their names.
  virtual bool has_members() const = 0;
  /// Whether every value that it decodes is one JSON document.
  virtual bool is_json() const = 0;
  virtual std::unique_ptr<Decoder> decoder() const = 0;
};

}  // namespace semel::record
