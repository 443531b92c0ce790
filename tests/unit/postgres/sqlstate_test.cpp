#include "postgres/client/sqlstate.hpp"

#include "support/catch.hpp"

using namespace semel;
using namespace semel::postgres;

TEST_CASE("an error code says what may be done") {
  struct Row {
    const char* sqlstate;
    Meaning meaning;
    ErrorKind kind;
  };
  const Row row = GENERATE(values<Row>({
      {"22P02", Meaning::data, ErrorKind::bad_data},
      {"23502", Meaning::data, ErrorKind::bad_data},
      {"23503", Meaning::data, ErrorKind::bad_data},
      {"23505", Meaning::data, ErrorKind::bad_data},
      {"23514", Meaning::data, ErrorKind::bad_data},
      {"44000", Meaning::data, ErrorKind::bad_data},
      {"54000", Meaning::data, ErrorKind::bad_data},
      {"P0001", Meaning::data, ErrorKind::bad_data},
      {"22P04", Meaning::other, ErrorKind::fatal},  // of a data class, but our own mistake
      {"25P02", Meaning::other, ErrorKind::fatal},
      {"08006", Meaning::unavailable, ErrorKind::unavailable},
      {"25P04", Meaning::retriable, ErrorKind::retriable},
      {"25006", Meaning::unavailable, ErrorKind::unavailable},
      {"57P01", Meaning::unavailable, ErrorKind::unavailable},
      {"57P03", Meaning::unavailable, ErrorKind::unavailable},
      {"40001", Meaning::retriable, ErrorKind::retriable},
      {"40P01", Meaning::retriable, ErrorKind::retriable},
      {"53100", Meaning::unavailable, ErrorKind::unavailable},
      {"53200", Meaning::retriable, ErrorKind::retriable},
      {"53300", Meaning::unavailable, ErrorKind::unavailable},
      {"55P03", Meaning::unavailable, ErrorKind::unavailable},
      {"57014", Meaning::retriable, ErrorKind::retriable},
      {"28P01", Meaning::login, ErrorKind::fatal},
      {"3D000", Meaning::login, ErrorKind::fatal},
      {"42501", Meaning::privilege, ErrorKind::fatal},
      {"42P01", Meaning::missing, ErrorKind::fatal},
      {"42703", Meaning::missing, ErrorKind::fatal},
      {"42601", Meaning::other, ErrorKind::fatal},
      {"XX001", Meaning::other, ErrorKind::fatal},
      {"U1234", Meaning::other, ErrorKind::fatal},
  }));
  INFO(row.sqlstate);
  CHECK(meaning_of(row.sqlstate) == row.meaning);
  const auto error = to_error(ServerError{.sqlstate = row.sqlstate, .message = "said"}, "trying");
  CHECK(error.kind == row.kind);
  CHECK(error.cause == (row.kind == ErrorKind::bad_data ? Cause::bad_record : Cause::sink));
  CHECK(error.message.find(row.sqlstate) != std::string::npos);
  // What a function says may hold values.
  const bool function = std::string_view(row.sqlstate).starts_with("P0");
  CHECK((error.message.find("said") == std::string::npos) == function);
}

TEST_CASE("a server that protects itself from running out of transaction ids is no bad data") {
  const ServerError error{.sqlstate = "54000",
                          .message = "database is not accepting commands",
                          .context = "COPY t, line 1: \"1\"",
                          .source_file = "varsup.c"};
  CHECK(to_error(error, "trying").kind == ErrorKind::unavailable);
  CHECK(meaning_of(ServerError{.sqlstate = "54000", .source_file = "nbtutils.c"}) == Meaning::data);
}

TEST_CASE("an error that ends the session is a lost connection, not bad data") {
  const ServerError error{.sqlstate = "22P02", .message = "x", .session_ended = true};
  CHECK(to_error(error, "trying").kind == ErrorKind::unavailable);
}

TEST_CASE("what to do is said in the names of whoever has configured the session") {
  static constexpr SettingNames::Name names[] = {{"sink.postgres.dsn", "Options::dsn"},
                                                 {"batch.max_records_per_partition", "Options::n"}};
  const auto said = [](const char* sqlstate, const SettingNames& called) {
    return to_error(ServerError{.sqlstate = sqlstate, .message = "x", .names = called}, "trying")
        .message;
  };
  using Catch::Contains;
  CHECK_THAT(said("28P01", {}), Contains("Correct sink.postgres.dsn, or let"));
  CHECK_THAT(said("28P01", SettingNames(names)), Contains("Correct Options::dsn, or let"));
  CHECK_THAT(said("53200", {}), Contains("lower batch.max_records_per_partition or raise"));
  CHECK_THAT(said("53200", SettingNames(names)), Contains("lower Options::n or raise"));
}

TEST_CASE("the line is the one that COPY names, in any language") {
  // As PostgreSQL 15 says it in English, German, French, Russian, Chinese and Japanese.
  CHECK(copy_line("COPY ev7, line 2, column n: \"x\"", "ev7") == 2U);
  CHECK(copy_line("COPY ev7, Zeile 3: »3\t-1«", "ev7") == 3U);
  CHECK(copy_line("COPY ev7, ligne 2, colonne n : « x »", "ev7") == 2U);
  CHECK(copy_line("COPY ev7, строка 2, столбец n: \"x\"", "ev7") == 2U);
  CHECK(copy_line("COPY ev7, 第 2 行, 列 n: \"x\"", "ev7") == 2U);
  CHECK(copy_line("ev7のCOPY、行 2、列 n: \"x\"", "ev7") == 2U);
  // Digits of the table's name and of other contexts are not lines.
  CHECK(copy_line("COPY events2026, line 5: \"1\"", "events2026") == 5U);
  CHECK(copy_line("PL/pgSQL function f() line 3 at RAISE\nCOPY t, line 9: \"3 c\"", "t") == 9U);
  // A value is quoted with its line ends, and may name lines itself.
  CHECK(copy_line("COPY t, line 7, column ip: \"x\nCOPY t, line 9: \"", "t") == 7U);
  CHECK_FALSE(copy_line("PL/pgSQL function f() line 3 at RAISE", "t"));
  CHECK_FALSE(copy_line("SQL statement \"SELECT 1 FROM ONLY parent x\"", "child"));
  CHECK_FALSE(copy_line("COPY t", "t"));
  CHECK_FALSE(copy_line("", "t"));
}

TEST_CASE("a server without room for locks names what to lower or raise") {
  const auto error = to_error({.sqlstate = "53200", .message = "out of shared memory"}, "writing");
  CHECK_THAT(error.message, Catch::Contains("batch.max_records_per_partition") &&
                                Catch::Contains("max_locks_per_transaction"));
}
