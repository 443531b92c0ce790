#include "kafka/secret_property.hpp"

#include <array>
#include <string_view>

namespace semel::kafka {

bool is_secret_property(const std::string& name) {
  static constexpr std::array parts{"password",           "secret", "key.pem", "token",
                                    "oauthbearer.config", "jaas"};
  for (const std::string_view part : parts) {
    if (name.find(part) != std::string::npos) return true;
  }
  return false;
}

}  // namespace semel::kafka
