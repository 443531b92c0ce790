// A table as the catalogue describes it: what encoders are chosen from and the guard compares.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace semel::postgres {

using Oid = std::uint32_t;

/// What happens where a record has no member for the column.
enum class DefaultKind : std::uint8_t {
  none,      ///< NULL
  constant,  ///< calls no function that is stable or volatile: evaluated once per table description
  stable,    ///< now(), current_user ...: evaluated once per transaction
  changing,  ///< nextval(), gen_random_uuid(), identity ...: left to the server, by leaving the
             ///< column out
};

struct Column {
  std::string name;
  std::int16_t number = 0;     ///< attnum
  Oid type = 0;                ///< as declared; a domain's own oid
  std::int32_t modifier = -1;  ///< atttypmod; of a domain: the domain's
  std::string type_name;       ///< format_type(): for people, "numeric(12,2)"
  Oid base_type = 0;           ///< behind domains; equal to `type` otherwise
  std::int32_t base_modifier = -1;
  char type_kind =
      'b';  ///< pg_type.typtype of base_type: b(ase), e(num), c(omposite), r(ange), m(ultirange)
  Oid element_type = 0;           ///< of a true array: its element's type (behind domains), else 0
  char element_kind = 0;          ///< pg_type.typtype of element_type
  Oid declared_element_type = 0;  ///< pg_type.typelem as it is, perhaps a domain; 0: not looked up
  bool not_null = false;
  DefaultKind default_kind = DefaultKind::none;
  std::string default_expression;  ///< SQL of base_type; empty without a default or where only the
                                   ///< server can evaluate it
  std::string send_function;  ///< quoted SQL name of base_type's binary output function: evaluates
                              ///< defaults; may be empty
};

/// Columns that can be written: without dropped, GENERATED ALWAYS AS (…) and ALWAYS-identity ones.
struct Table {
  std::string schema;
  std::string name;
  Oid oid = 0;
  std::vector<Column> columns;
  std::string fingerprint;  ///< of all its columns: what the guard compares (fingerprint_sql)

  bool operator==(const Table& other) const {
    return oid == other.oid && fingerprint == other.fingerprint;
  }
};

}  // namespace semel::postgres
