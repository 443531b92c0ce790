// What settings are called by whoever has set them: a configuration file by their paths, a program
// by the members of its options. Every message that names a setting asks here.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace semel {

/// Of static text; a value.
class SettingNames {
 public:
  struct Name {
    std::string_view path;
    std::string_view name;
  };

  /// As a file has them.
  constexpr SettingNames() = default;
  constexpr explicit SettingNames(std::span<const Name> names) : names_(names) {}

  /// Of "sink.postgres.dsn", "[sink.postgres]", or a setting with the value that is proposed:
  /// "on_data_loss = \"skip\"".
  std::string operator()(std::string_view path) const {
    for (const auto& [known, name] : names_) {
      if (known == path) return std::string(name);
    }
    return std::string(path);
  }

 private:
  std::span<const Name> names_;
};

}  // namespace semel
