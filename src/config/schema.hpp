// All sections that a configuration file may have, each declared by src/app or by the
// connector that it configures.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "config/part.hpp"
#include "config/setting.hpp"

namespace semel::config {

class Whole;

/// The settings that fill one struct of options.
struct Section {
  std::string path;               ///< "source.kafka"; empty: the top of the file
  Part defaults;                  ///< the struct as it is where nothing is given
  std::vector<Setting> settings;  ///< their paths are below that of the section
  /// What no setting can know alone; called once all of them have their values. Empty: nothing.
  std::function<void(const Part&, Whole&)> check;
  /// It may be left out; what it requires is required where it is there.
  bool optional = false;
};

/// The sections, in the order of the reference page. Two may have one path: a part of a section
/// then fills another struct.
class Schema {
 public:
  explicit Schema(std::vector<Section> sections);

  const std::vector<Section>& sections() const { return sections_; }
  /// All settings with their whole paths, in the order of the reference page.
  const std::vector<Setting>& settings() const { return settings_; }
  /// Of the section that declares `setting`, which is one of settings().
  std::size_t section_of(const Setting& setting) const;
  /// None: no setting of that name.
  const Setting* find(const std::string& path) const;
  /// Whether some setting's name begins with "path.".
  bool is_section(const std::string& path) const;

 private:
  std::vector<Section> sections_;
  std::vector<Setting> settings_;
  std::vector<std::size_t> section_of_;  ///< of settings_, in their order
};

/// A part for each section of a schema.
using Parts = std::vector<Part>;

/// What a setting has in `parts`, as TOML; empty: not set.
std::string show(const Schema& schema, const Setting& setting, Parts& parts);

}  // namespace semel::config
