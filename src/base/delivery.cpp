#include "base/delivery.hpp"

#include <fmt/format.h>

namespace semel {

std::optional<std::string> too_weak(std::string_view who, Guarantee guarantee, Delivery delivery) {
  if (delivery != Delivery::exactly_once || guarantee == Guarantee::transactional) {
    return std::nullopt;
  }
  return fmt::format(
      "delivery = \"exactly_once\" (the default) is more than {} can give: {}. Say delivery = "
      "\"at_least_once\", or choose a sink whose rows and offsets are one transaction",
      who,
      guarantee == Guarantee::idempotent
          ? "its rows are there before its offsets are, though never twice"
          : "after a failure it may have rows twice");
}

}  // namespace semel
