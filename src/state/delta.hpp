// Changes of the state as bytes, in an encoding of their own.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <semel/error.hpp>

#include "state/version.hpp"

namespace semel::state {

/// By key: the new value, or nothing where the key goes.
using Delta = std::map<std::string, std::optional<std::string>, std::less<>>;

/// The same bytes for the same changes, on every machine.
std::string encode(const Delta& delta);
/// Nothing where these are no such bytes, or of a version that is not known.
std::optional<Delta> decode_delta(std::string_view bytes);
/// CRC-32 (zlib).
std::uint32_t checksum(std::string_view bytes);

std::string encode(const Version& version);
std::optional<Version> decode_version(std::string_view bytes);
/// Of a Prepared; the delta stands apart.
std::string encode(const Prepared& prepared);
std::optional<Prepared> decode_prepared(std::string_view bytes);

}  // namespace semel::state
