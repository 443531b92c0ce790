#include "connector/record_settings.hpp"
#include "store/setup.hpp"

namespace semel::store {

config::Setting required_text(std::string path, const config::Field<std::string>& field,
                              std::string text, std::string example) {
  const auto not_empty = [](const std::string& given) {
    return given.empty() ? std::optional<std::string>("must not be empty") : std::nullopt;
  };
  return {.path = std::move(path),
          .binding = config::text(field, not_empty),
          .text = std::move(text),
          .example = std::move(example),
          .required = true};
}

std::vector<config::Setting> settings(const config::Field<Options>& options) {
  constexpr std::int64_t hour = 3'600'000;
  std::vector<config::Setting> all{
      required_text("table", options.of(&Options::table),
                    "The table that gets the rows, as its name is written. It must exist; its "
                    "columns and their types are read from the database.",
                    "\"clicks\"")};
  for (auto&& one : record_settings(options.of(&Options::columns), options.of(&Options::policy))) {
    all.push_back(std::move(one));
  }
  all.push_back(
      {.path = "ledger.keep_commits",
       .binding = config::duration(options.of(&Options::keep_commits_hours),
                                   {0, 365ll * 100 * 24 * hour}, hour),
       .text = "Age at which rows of the history are removed, in whole hours; the newest row of "
               "each partition always stays. `\"0s\"`: never.",
       .example = "\"30d\""});
  return all;
}

}  // namespace semel::store
