// Why a value does not fit into a column, as PostgreSQL would say it.
#pragma once

namespace semel::postgres::encode {

/// Why a value does not fit; static text. Nothing where it does.
struct Refusal {
  const char* sqlstate = nullptr;
  const char* why = nullptr;

  explicit operator bool() const { return sqlstate != nullptr; }
};

}  // namespace semel::postgres::encode
