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

Json json_of(const Verdict& verdict) {
  return {{"lost", verdict.lost},
          {"duplicated", verdict.duplicated},
          {"damaged", verdict.damaged},
          {"sums_agree", verdict.sums_agree},
          {"exactly_once", verdict.exactly_once()}};
}

Json or_null(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

}  // namespace semel::bench
