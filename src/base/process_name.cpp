#include "base/process_name.hpp"

#include <fmt/format.h>
#include <unistd.h>
#include <uuid/uuid.h>

namespace semel {

std::string random_uuid() {
  uuid_t id;
  uuid_generate_random(id);
  char text[37];
  uuid_unparse_lower(id, text);
  return text;
}

std::string process_name(std::string_view program) {
  char host[256] = "unknown host";
  gethostname(host, sizeof host - 1);
  return fmt::format("{} on {}, pid {}", program, host, getpid());
}

}  // namespace semel
