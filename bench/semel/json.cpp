#include "bench/semel/json.hpp"

namespace semel::bench {

Json json_of(const Origin& origin, const std::string& benchmark) {
  Json json;
  json["benchmark"] = benchmark;
  json["date"] = origin.date;
  json["command"] = origin.command;
  json["machine"] = Json::object();
  for (const auto& [name, value] : origin.machine) json["machine"][name] = value;
  return json;
}

Json json_of(const Comparison& comparison) {
  return {{"lost", comparison.lost},
          {"duplicated", comparison.duplicated},
          {"damaged", comparison.damaged},
          {"sums_agree", comparison.sums_agree},
          {"exactly_once", comparison.exactly_once()}};
}

Json or_null(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

}  // namespace semel::bench
