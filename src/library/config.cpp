#include <semel/config.hpp>

#include <fmt/format.h>

#include "config/load.hpp"
#include "config/value.hpp"
#include "library/content.hpp"

namespace semel {

namespace {

/// As TOML tells a number with a fraction from an integer.
std::string toml_of(double value) {
  auto text = fmt::format("{}", value);
  if (text.find_first_not_of("-0123456789") == std::string::npos) text += ".0";
  return text;
}

}  // namespace

Result<app::PipelineConfig> read(const Config::Content& content,
                                 const std::vector<std::string>& own_outputs) {
  return app::read({.text = content.text,
                    .name = content.name,
                    .overrides = content.overrides,
                    .own_outputs = own_outputs});
}

Config::Config() : content_(std::make_unique<Content>()) {}
Config::Config(const Config& other) : content_(std::make_unique<Content>(*other.content_)) {}
// What was moved from can be set again.
Config::Config(Config&& other) noexcept
    : content_(std::exchange(other.content_, std::make_unique<Content>())) {}
Config& Config::operator=(const Config& other) {
  *content_ = *other.content_;
  return *this;
}
Config& Config::operator=(Config&& other) noexcept {
  std::swap(content_, other.content_);
  return *this;
}
Config::~Config() = default;

Result<Config> Config::load(const std::string& path, const std::vector<std::string>& overrides) {
  auto text = config::read_file(path);
  if (!text) return tl::unexpected(text.error());
  auto config = parse(*std::move(text), path);
  for (const auto& one : overrides) config.content_->overrides.push_back({one});
  return config;
}

Config Config::parse(std::string toml, std::string name) {
  Config config;
  config.content_->text = std::move(toml);
  config.content_->name = std::move(name);
  return config;
}

Config& Config::set_toml(std::string_view setting, std::string_view value) {
  content_->overrides.push_back({fmt::format("{}={}", setting, value), "Config::set", false});
  return *this;
}

Config& Config::set(std::string_view setting, std::string_view text) {
  return set_toml(setting, config::quoted(std::string(text)));
}

Config& Config::set(std::string_view setting, const std::vector<std::string>& texts) {
  std::string list;
  for (const auto& text : texts) list += (list.empty() ? "" : ", ") + config::quoted(text);
  return set_toml(setting, "[" + list + "]");
}

Config& Config::set(std::string_view setting, bool value) {
  return set_toml(setting, value ? "true" : "false");
}

Config& Config::set(std::string_view setting, double value) {
  return set_toml(setting, toml_of(value));
}

Config& Config::set_number(std::string_view setting, std::int64_t value) {
  return set_toml(setting, fmt::format("{}", value));
}

Result<void> Config::check(const std::vector<std::string>& own_outputs) const {
  if (auto checked = read(*content_, own_outputs); !checked) {
    return tl::unexpected(checked.error());
  }
  return {};
}

Result<std::string> Config::to_toml() const {
  auto config = read(*content_, {});
  if (!config) return tl::unexpected(config.error());
  return app::render(*config);
}

}  // namespace semel
