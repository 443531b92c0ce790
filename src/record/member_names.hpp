// How a record's members and a table's columns are called, where it is not the same. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace semel::record {

/// How a column without a path finds the member of its name.
enum class Names : std::uint8_t {
  exact,
  ignore_case,  ///< of the letters A to Z
  snake_case,   ///< orderId, OrderID, ORDER_ID and order-id are order_id
};

/// What two names have in common that are the same to `names`.
std::string folded(std::string_view name, Names names);

std::string_view name_of(Names names);

}  // namespace semel::record
