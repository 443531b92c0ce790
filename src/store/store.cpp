#include "store/store.hpp"

#include <fmt/format.h>

#include <chrono>

namespace semel::store {

Result<std::int64_t> Store::now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

record::BadRecord unfit(const record::Column& column, std::string_view why) {
  const auto said = fmt::format("column \"{}\" ({}): {}", column.name, column.type_name, why);
  return {.fault = record::Fault::unfit, .column = column.name, .reason = said, .told = said};
}

}  // namespace semel::store
