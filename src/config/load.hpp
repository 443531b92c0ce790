// A configuration file as the structs of its sections.
#pragma once

#include <set>
#include <string>
#include <vector>

#include <semel/error.hpp>

#include "config/document.hpp"
#include "config/schema.hpp"

namespace semel::config {

struct Loaded {
  Parts parts;  ///< of the schema's sections
  std::set<std::string>
      sections;  ///< paths of those that were given, and of what stands above them
};

/// The content of a file, or the error that says what to do.
Result<std::string> read_file(const std::string& path);

/// Reads TOML, replaces ${NAME} from the environment, applies `overrides` ("key.path=value", later
/// ones win) and checks everything that can be checked without a server. Errors: fatal with
/// Cause::configuration; the message has one line per problem, each with file (`name`), line and
/// column. No message holds the value of a secret setting.
/// Sections that are `given` are there, whatever the text says. What is `needless` may be missing
/// even if it is required: a setting, or a section with all of its settings.
Result<Loaded> load(const Schema& schema, const std::string& text, const std::string& name,
                    const std::vector<Override>& overrides, const std::set<std::string>& given = {},
                    const std::set<std::string>& needless = {});

/// What a section's check knows of the whole file, and says of it. Paths of settings are the
/// section's own: "ledger.owners".
class Whole {
 public:
  Whole(const Schema& schema, Document& document, std::string name, std::string section)
      : schema_(schema),
        document_(document),
        name_(std::move(name)),
        section_(std::move(section)) {}

  /// As it was written; nullptr: it was not.
  const Value* given(const std::string& setting) const;
  /// Whether the section with that whole path is there.
  bool has_section(const std::string& path) const;
  /// `text` goes on after the setting's name.
  void problem(const std::string& setting, const std::string& text);
  /// Of the entry `key` of a setting that is a table; `text` says all.
  void problem_in(const std::string& setting, std::string_view key, std::string text);
  /// Something that is not there, unless an unknown name below `meant` was probably meant for it.
  void missing(const std::string& meant, std::string text);

 private:
  std::string whole(const std::string& setting) const;

  const Schema& schema_;
  Document& document_;
  std::string name_;
  std::string section_;
};

}  // namespace semel::config
