// A pipeline's configuration: a TOML file, TOML text, or settings that the program makes.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <semel/api.hpp>
#include <semel/failed.hpp>

namespace semel {

/// Settings by their documented names (docs/reference/configuration.md), whichever way they come:
/// one set of checks, one set of messages. Nothing is checked before check(), which Pipeline calls
/// by itself. A value: copies are independent. Not thread safe.
class SEMEL_API Config {
 public:
  /// Nothing is set.
  Config();
  Config(const Config& other);                 ///< the same settings
  Config(Config&& other) noexcept;             ///< nothing is set in `other` then
  Config& operator=(const Config& other);      ///< the same settings
  Config& operator=(Config&& other) noexcept;  ///< `other` has what this had
  ~Config();

  /// Reads a file. `overrides` are "key.path=value", as `semel run --set` has them: a bare word is
  /// a text, and messages call them --set. Fails (Cause::configuration) where it cannot be read.
  static Result<Config> load(const std::string& path,
                             const std::vector<std::string>& overrides = {});
  /// The same for a file's content; `name` is what messages call it.
  static Config parse(std::string toml, std::string name = "configuration");

  /// Sets one setting, whatever was said of it before: set("batch.interval", "1s"). A key below a
  /// table of the user's own is a setting, too: set("sink.postgres.columns.id", "$.user.id"); a key
  /// with other letters than A-Z a-z 0-9 _ - stands in quotes. As in a file, ${NAME} in a text is
  /// replaced from the environment, and "$${" is a "${" that stays. Returns *this.
  Config& set(std::string_view setting, std::string_view text);
  /// The same.
  Config& set(std::string_view setting, const char* text) {
    return set(setting, std::string_view(text));
  }
  /// The same for a list.
  Config& set(std::string_view setting, const std::vector<std::string>& texts);
  /// The same for true and false.
  Config& set(std::string_view setting, bool value);
  /// The same for a whole number.
  template <std::integral Number>
  requires(!std::same_as<Number, bool>) Config& set(std::string_view setting, Number value) {
    return set_number(setting, static_cast<std::int64_t>(value));
  }
  /// The same for a number.
  Config& set(std::string_view setting, double value);
  /// Any TOML value: set_toml("source.kafka.start", "2026-01-01T00:00:00Z"). What is no TOML is
  /// told by check().
  Config& set_toml(std::string_view setting, std::string_view value);

  /// All that can be checked without a server: unknown names, types, ranges, what is missing.
  /// Fatal, Cause::configuration: one line for each problem, with file, line and column or the
  /// setting. No message holds the value of a secret setting. `own_outputs`: names of outputs whose
  /// sinks the program brings (PipelineSetup::outputs); with one of these no [sink.*] is needed.
  Result<void> check(const std::vector<std::string>& own_outputs = {}) const;

  /// Every setting with the value in effect, as TOML; secrets are masked. Fails as check().
  Result<std::string> to_toml() const;

  struct Content;  ///< For the library's own use.
  /// For the library's own use.
  const Content& content() const { return *content_; }

 private:
  Config& set_number(std::string_view setting, std::int64_t value);

  std::unique_ptr<Content> content_;
};

}  // namespace semel
