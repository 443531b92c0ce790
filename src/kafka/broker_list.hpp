// The addresses of brokers as people write them. No rdkafka.h.
#pragma once

#include <string>
#include <string_view>

#include <semel/error.hpp>

namespace semel::kafka {

/// "a:9092, b" without its blanks, as librdkafka wants it. An entry that is no host with a port in
/// 1..65535, or a host alone, is a configuration error: librdkafka takes port "abc" for 0 and 65537
/// for 1, and leaves out what follows an entry that it cannot read. The message goes on after the
/// setting's name, says what to write, and never holds a login.
Result<std::string> broker_list(std::string_view text);

}  // namespace semel::kafka
