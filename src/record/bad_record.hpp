// Why a record cannot be stored: all of it for where it is set aside, and without the record's
// values for a log. No I/O.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <semel/error.hpp>
#include <semel/types.hpp>

namespace semel {
struct Objection;
}

namespace semel::record {

/// What is wrong, whatever the sink. A sink that has codes of its own (SQLSTATEs) maps these to
/// them.
enum class Fault : std::uint8_t {
  no_value,       ///< it has none, and `tombstones` says that this is bad
  malformed,      ///< its format cannot read it
  nothing_found,  ///< no column's value is in it
  unknown_field,  ///< a member has no column, and `unknown_fields` says that this is bad
  missing,        ///< a column that needs a value gets none
  unfit,          ///< a value is nothing that its column can hold
  duplicate,      ///< the sink has it already
  refused,        ///< the sink says no, for a reason of its own
  objection,      ///< somebody before the sink says no
};

struct BadRecord {
  Fault fault = Fault::refused;
  std::string column{};  ///< empty: the record as a whole
  std::string code{};    ///< the sink's own for this, or an objection's; empty: there is none
  std::string reason{};
  std::string told{};  ///< the reason without what was in the record, for logs; empty: it has none
};

/// As much of a code as is kept and shown.
inline constexpr std::size_t code_bytes_max = 20;

/// What SinkSession::set_aside() was told.
BadRecord bad_record_of(const Objection& objection);

/// "column "id": …": one line of plain characters, without what was in the record. `code_name` is
/// what people call the sink's codes: "column "id": … (SQLSTATE 22P02)"; an objection's is a code.
std::string for_log(const BadRecord& bad, std::string_view code_name = {});

/// on_bad_record = "stop": the record at `offset` of `range`. `place` is where it should have gone,
/// as people know it; `said` as for_log() has it.
Error stopped_by(const OffsetRange& range, Offset offset, std::string_view place,
                 std::string_view said);

}  // namespace semel::record
