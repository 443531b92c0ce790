// A table as the catalogue describes it: what encoders are chosen from and the guard compares.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
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

/// A type, and what it is made of.
struct Type {
  Oid oid = 0;                 ///< as declared: a domain's own
  Oid base = 0;                ///< behind domains; equal to `oid` otherwise
  std::int32_t modifier = -1;  ///< of `base`; of an array: of its elements
  /// pg_type.typtype of `base`: b(ase), e(num), c(omposite), r(ange), m(ultirange); a(rray) for
  /// what is one by its send function.
  char kind = 'b';
  char delimiter = ',';   ///< between elements, in text (pg_type.typdelim)
  bool not_null = false;  ///< a domain on the way says so
  /// An array's element, a range's bound, a multirange's range, a composite's attributes in order.
  std::vector<Type> parts;
  std::vector<std::string> names;  ///< of a composite's attributes
};

struct Column {
  std::string name;
  std::int16_t number = 0;  ///< attnum
  Type type;
  std::string type_name;  ///< format_type(): for people, "numeric(12,2)"
  std::string base_name;  ///< of the type behind domains, as SQL, without its modifier
  bool not_null = false;  ///< the column, or a domain that it is of
  bool identity_always = false;
  DefaultKind default_kind = DefaultKind::none;
  std::string default_expression;  ///< SQL of the base type; empty without a default or where only
                                   ///< the server can evaluate it
  std::string send_function;       ///< quoted SQL name of the base type's binary output function:
                                   ///< evaluates defaults; may be empty
};

/// A column of the key by which rows are merged.
struct KeyColumn {
  std::string name;
  std::string equals;  ///< the operator by which the index finds it, as SQL: OPERATOR(ns.=)

  bool operator==(const KeyColumn&) const = default;
};

/// What a description was made from, beside the table's own columns. Only what can change: nothing
/// that every server has from the start. Ascending.
struct DependsOn {
  std::vector<Oid> types;       ///< pg_type; of enums also their labels
  std::vector<Oid> composites;  ///< pg_class: whose attributes count
  std::vector<Oid> functions;   ///< pg_proc: called by defaults
};

/// A relation that rows of a table may go to, and that does not keep them as a transaction would.
struct WeakPart {
  enum class Kind : char { unlogged = 'u', temporary = 't', foreign = 'f' };
  Oid oid = 0;
  std::string name;  ///< qualified and quoted
  Kind kind = Kind::unlogged;
};

/// Columns that can be written: without dropped and GENERATED ALWAYS AS (…) ones.
struct Table {
  std::string schema;
  std::string name;
  Oid oid = 0;
  char kind = 'r';                   ///< pg_class.relkind
  std::vector<WeakPart> weak_parts;  ///< the table itself, its partitions, what a view reads
  std::vector<Column> columns;
  std::vector<std::string> generated;  ///< columns that the table computes: "name (type)"
  std::vector<std::string> generated_names;
  std::vector<KeyColumn> key;  ///< under Write::upsert, in the index's order
  /// The temporary table by way of which rows go into it (merge/staging.hpp); empty: they go
  /// straight in.
  std::string stage;
  DependsOn depends_on;
  std::string fingerprint;  ///< of all that was read: what the guard compares (fingerprint_sql)

  /// What the server calls the table of a COPY.
  const std::string& copied_as() const { return stage.empty() ? name : stage; }
  const Column* column(std::string_view called) const {
    for (const auto& one : columns) {
      if (one.name == called) return &one;
    }
    return nullptr;
  }
  std::vector<std::string> key_names() const {
    std::vector<std::string> names;
    for (const auto& one : key) names.push_back(one.name);
    return names;
  }
  bool has_in_key(std::string_view called) const {
    for (const auto& one : key) {
      if (one.name == called) return true;
    }
    return false;
  }

  bool operator==(const Table& other) const {
    return oid == other.oid && fingerprint == other.fingerprint;
  }
};

}  // namespace semel::postgres
