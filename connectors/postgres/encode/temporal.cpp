// date, time, timestamp and timestamptz.
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "postgres/encode/datetime.hpp"
#include "postgres/encode/fixed_size.hpp"
#include "postgres/encode/wire.hpp"
#include "record/decimal.hpp"

namespace semel::postgres::encode {
namespace {

// PostgreSQL's own bounds (datatype/timestamp.h): 4714-11-24 BC, 294277-01-01, 5874898-01-01.
constexpr std::int64_t kMinTimestamp = -211'813'488'000'000'000;
constexpr std::int64_t kEndTimestamp = 9'223'371'331'200'000'000;
constexpr std::int64_t kMinDate = -2'451'545;
constexpr std::int64_t kEndDate = 2'145'031'949;

constexpr Refusal kOutOfRange{"22008", "is out of range"};

/// The digits after the second that the unit's numbers lack to be microseconds.
int shift_of(EpochUnit unit) {
  switch (unit) {
    case EpochUnit::seconds:
      return 6;
    case EpochUnit::milliseconds:
      return 3;
    case EpochUnit::microseconds:
      return 0;
  }
  return 0;
}

Refusal from_unix_micros(std::optional<std::int64_t> unix_micros, std::int64_t& image) {
  constexpr std::int64_t epoch = kPostgresEpochDays * kMicrosPerDay;
  if (!unix_micros || __builtin_sub_overflow(*unix_micros, epoch, &image) ||
      image < kMinTimestamp || image >= kEndTimestamp) {
    return kOutOfRange;
  }
  return {};
}

struct TimestampCodec {
  using Image = std::int64_t;

  int shift = 0;
  bool with_zone = false;

  Refusal parse(const Value& value, Image& image) const {
    if (value.kind == Kind::instant) {
      std::int64_t micros = 0;
      if (__builtin_mul_overflow(value.integer, std::int64_t{1000}, &micros)) return kOutOfRange;
      return from_unix_micros(micros, image);
    }
    if (value.kind == Kind::number) {
      const auto number = record::parse_decimal(value.text);
      if (!number) return {"22007", "is not a timestamp"};
      return from_unix_micros(to_integer(*number, shift), image);
    }
    DateTime parsed;
    if (const Refusal refusal = parse_datetime(value.text, parsed)) return refusal;
    if (parsed.special != Special::none) {
      image = parsed.special == Special::infinity ? std::numeric_limits<Image>::max()
                                                  : std::numeric_limits<Image>::min();
      return {};
    }
    if (!parsed.has_date) return {"22007", "has no date"};
    // As in PostgreSQL, a timestamp without time zone leaves an offset out of account.
    const std::int64_t time =
        parsed.micros - (with_zone ? parsed.offset_seconds * kMicrosPerSecond : 0);
    if (__builtin_mul_overflow(parsed.days, kMicrosPerDay, &image) ||
        __builtin_add_overflow(image, time, &image) || image < kMinTimestamp ||
        image >= kEndTimestamp) {
      return kOutOfRange;
    }
    return {};
  }

  /// Without a zone it is UTC, as where it is written; a column without one drops it.
  bool parse_typed(const Value& value, Image& image, Refusal& refusal) const {
    if (value.kind != Kind::moment && value.kind != Kind::local_time) return false;
    refusal = from_unix_micros(value.integer, image);
    return true;
  }

  void write_text(Image image, std::string& out) const {
    if (image == std::numeric_limits<Image>::max()) {
      out += "infinity";
    } else if (image == std::numeric_limits<Image>::min()) {
      out += "-infinity";
    } else {
      append_timestamp(out, image, with_zone ? "+00" : "");
    }
  }
};

struct DateCodec {
  using Image = std::int32_t;

  Refusal parse(const Value& value, Image& image) const {
    if (value.kind == Kind::instant) {
      std::int64_t micros = 0;
      if (const Refusal refusal = TimestampCodec{}.parse(value, micros)) return refusal;
      const std::int64_t days = micros / kMicrosPerDay - (micros % kMicrosPerDay < 0 ? 1 : 0);
      image = static_cast<Image>(days);
      return {};
    }
    // Days, as Connect has them, or milliseconds, as JavaScript: what it is cannot be told.
    if (value.kind == Kind::number) {
      return {"22007",
              "is a number; a date is text, \"2024-01-31\", where no unit says what it counts"};
    }
    DateTime parsed;
    if (const Refusal refusal = parse_datetime(value.text, parsed)) return refusal;
    if (parsed.special != Special::none) {
      image = parsed.special == Special::infinity ? std::numeric_limits<Image>::max()
                                                  : std::numeric_limits<Image>::min();
      return {};
    }
    if (!parsed.has_date) return {"22007", "has no date"};
    if (parsed.days < kMinDate || parsed.days >= kEndDate) return kOutOfRange;
    image = static_cast<Image>(parsed.days);
    return {};
  }

  bool parse_typed(const Value& value, Image& image, Refusal& refusal) const {
    if (value.kind != Kind::days) return false;
    const std::int64_t days = value.integer - kPostgresEpochDays;
    if (days < kMinDate || days >= kEndDate) refusal = kOutOfRange;
    image = static_cast<Image>(days);
    return true;
  }

  void write_text(Image image, std::string& out) const {
    if (image == std::numeric_limits<Image>::max()) {
      out += "infinity";
    } else if (image == std::numeric_limits<Image>::min()) {
      out += "-infinity";
    } else {
      append_date(out, image);
    }
  }
};

struct TimeCodec {
  using Image = std::int64_t;

  Refusal parse(const Value& value, Image& image) const {
    if (value.kind == Kind::number) {
      return {"22007",
              "is a number; a time is text, \"10:20:30\", where no unit says what it counts"};
    }
    DateTime parsed;
    if (const Refusal refusal = parse_datetime(value.text, parsed)) return refusal;
    // PostgreSQL drops a date here, in some spellings: that would be a silent loss.
    if (parsed.has_date) return {"22007", "has a date, which a time of day cannot hold"};
    if (!parsed.has_time) return {"22007", "is not a time of day"};
    image = parsed.micros;
    return {};
  }
  bool parse_typed(const Value& value, Image& image, Refusal& refusal) const {
    if (value.kind != Kind::time) return false;
    image = value.integer;
    if (image < 0 || image > kMicrosPerDay) refusal = kOutOfRange;
    return true;
  }
  void write_text(Image image, std::string& out) const { append_time(out, image); }
};

/// timetz: a time of day and how far from UTC it is; UTC where that is not written.
class TimetzEncoder final : public ValueEncoder {
 private:
  static Refusal parse(const Value& value, DateTime& parsed) {
    std::int64_t micros = 0;
    if (const Refusal refusal = TimeCodec{}.parse(value, micros)) return refusal;
    return parse_datetime(value.text, parsed);
  }

  Refusal write_binary(const Value& value, std::string& out) const override {
    DateTime parsed;
    if (const Refusal refusal = parse(value, parsed)) return refusal;
    const LengthPrefix length(out);
    append_integer(out, parsed.micros);
    append_integer(out, static_cast<std::int32_t>(-parsed.offset_seconds));  // west of UTC
    length.close();
    return {};
  }

  Refusal write_text(const Value& value, std::string& out) const override {
    DateTime parsed;
    if (const Refusal refusal = parse(value, parsed)) return refusal;
    append_time(out, parsed.micros);
    const auto offset = parsed.offset_seconds;
    out += offset < 0 ? '-' : '+';
    append_time(out, (offset < 0 ? -offset : offset) * kMicrosPerSecond);
    return {};
  }
};

}  // namespace

EncoderPtr make_timetz() {
  return std::make_unique<TimetzEncoder>();
}
EncoderPtr make_date() {
  return std::make_unique<FixedSize<DateCodec>>();
}
EncoderPtr make_time() {
  return std::make_unique<FixedSize<TimeCodec>>();
}
EncoderPtr make_timestamp(EpochUnit unit) {
  return std::make_unique<FixedSize<TimestampCodec>>(TimestampCodec{shift_of(unit), false});
}
EncoderPtr make_timestamptz(EpochUnit unit) {
  return std::make_unique<FixedSize<TimestampCodec>>(TimestampCodec{shift_of(unit), true});
}

}  // namespace semel::postgres::encode
