// Quoting, names, and what people get to read.
#include <libpq-fe.h>
#include <algorithm>

#include "postgres/client/log_text.hpp"
#include "postgres/client/quoting.hpp"
#include "postgres/client/secrets.hpp"
#include "postgres/postgres.hpp"
#include "postgres/rows/bad_record.hpp"
#include "postgres/session/shared.hpp"
#include "support/catch.hpp"

using namespace semel;
using namespace semel::postgres;

TEST_CASE("the script that makes the ledger is ASCII: a database may have any encoding") {
  Options options;
  options.table = "clicks";
  const auto ddl = ledger_ddl(options);
  CHECK(std::ranges::all_of(ddl, [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); }));
}

TEST_CASE("identifiers and literals are quoted, never folded") {
  CHECK(quote_identifier("Order") == "\"Order\"");
  CHECK(quote_identifier("a\"b") == "\"a\"\"b\"");
  CHECK(quote_literal("it's") == "'it''s'");
  CHECK(quote_literal("a\\b'c") == "E'a\\\\b''c'");
  CHECK(split_name("sales.Orders.2026").quoted() == "\"sales\".\"Orders.2026\"");
  CHECK(split_name("orders").quoted() == "\"orders\"");
}

TEST_CASE("a table's name may hold dots and quotes, in quotes") {
  const auto quoted = [](const std::string& written) {
    CHECK(name_mistake(written).empty());
    return split_name(written).quoted();
  };
  CHECK(quoted("\"fc.c29\"") == "\"fc.c29\"");
  CHECK(split_name("\"fc.c29\"").schema.empty());
  CHECK(quoted("public.\"a.b.c\"") == "\"public\".\"a.b.c\"");
  CHECK(quoted("\"a.b\".\"c.d\"") == "\"a.b\".\"c.d\"");
  CHECK(split_name("\"a.b\".c").schema == "a.b");
  CHECK(quoted("\"say \"\"x\"\"\"") == "\"say \"\"x\"\"\"");
  CHECK(split_name("\"say \"\"x\"\"\"").name == "say \"x\"");
  CHECK(quoted("we\"ird") == "\"we\"\"ird\"");
  for (const auto* written : {"", ".", "a.", ".b", "\"", "\"a", "\"a\"b", "\"a\".\"b", "\"\"",
                              "\"a\".\"b\".c", "a.\"b\"c"}) {
    INFO(written);
    CHECK_FALSE(name_mistake(written).empty());
  }
}

TEST_CASE("no message holds a password") {
  const auto masked = [](const std::string& dsn, const std::string& message) {
    return without_secrets(message, dsn);
  };
  CHECK(masked("postgresql://me:hunter2@h/d", "hunter2 is wrong") == "*** is wrong");
  CHECK(masked("host=h password='hun ter2'", "see hun ter2") == "see ***");
  CHECK(masked("postgresql://me:hunt%65r2@h/d", "hunter2 is wrong") == "*** is wrong");
  CHECK(masked("postgresql://h/d?user=me&password=hunter2", "hunter2 is wrong") == "*** is wrong");
  // What libpq says of what it cannot parse quotes the thing itself.
  for (const auto* dsn : {"postgresql://me:hunter2@h:port:x/d?=", "password=hunter2 oops",
                          "postgresql://me:hunter2%zz@h/d"}) {
    char* why = nullptr;
    auto* parsed = PQconninfoParse(dsn, &why);
    CHECK(parsed == nullptr);
    const std::string said = why == nullptr ? "" : why;
    PQfreemem(why);
    PQconninfoFree(parsed);
    INFO(said);
    CHECK(masked(dsn, said).find("hunter2") == std::string::npos);
  }
}

TEST_CASE("what is wrong with a connection string is told without any part of a password") {
  // A password that nobody encoded: libpq takes pieces of it for a host, a port, a parameter ...
  for (const std::string password :
       {"s3cr@tpart/x", "abc/def@ghi", "per%xcent", "a:b@c", "que?st=ion", "ha#sh@tag", "am&per=s",
        "5432/numbers@x", "100%", "wh/y?not=x", "a@b", "[x]/y"}) {
    for (const std::string form :
         {"postgresql://app:{}@127.0.0.1:1/shop", "postgres://app:{}@h1:1,h2:2/shop?sslmode=prefer",
          "postgresql://127.0.0.1:1/shop?user=app&password={}", "postgresql://app:{}",
          "host=127.0.0.1 password={} more port=1", "host=h password=x {}=y"}) {
      auto dsn = form;
      dsn.replace(dsn.find("{}"), 2, password);
      const auto mistake = dsn_mistake(dsn);
      INFO(dsn << " -> " << mistake);
      CHECK(mistake.find('\n') == std::string::npos);
      // Of pieces between special characters none is told; one of a single letter is no secret.
      std::string piece;
      for (const char c : password + "@") {
        if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
          piece += c;
          continue;
        }
        if (piece.size() > 2 && piece != "not") CHECK(mistake.find(piece) == std::string::npos);
        piece.clear();
      }
    }
  }
  for (const auto* dsn : {"postgresql://app:s3cr@tpart/x@127.0.0.1:1/shop",
                          "postgresql://app:abc/def@ghi@127.0.0.1/d",
                          "postgresql://app:per%xcent@127.0.0.1/shop", "postgresql://app:secret"}) {
    INFO(dsn);
    CHECK_THAT(dsn_mistake(dsn), Catch::Contains("write % as %25"));
  }
  // What is no password is named.
  CHECK_THAT(dsn_mistake("postgresql://app:hunter2@h/shop?currentSchema=x"),
             Catch::Contains("currentSchema") && !Catch::Contains("hunter2"));
  CHECK_THAT(dsn_mistake("host=h dbnam=x password=hunter2"), Catch::Contains("dbnam"));
  for (const auto* dsn :
       {"", "host=h user=me password='a b'", "postgresql://app:p%40w@h:5432/shop?sslmode=require",
        "postgresql://h:1,h2:2/d", "postgresql://[::1]:5432/d", "postgresql://u@[::1]:5432/d",
        "postgresql://h/d?user=app@server", "postgresql://me:pw@h/d?application_name=a@b",
        "postgresql://me:pa?ss@h/d", "service=mine", "postgresql:///d?host=/tmp"}) {
    INFO(dsn);
    CHECK(dsn_mistake(dsn) == "");
  }
}

TEST_CASE("a session's name is one the server neither cuts nor changes, and an output's own") {
  const auto tables = ledger_tables({}, "public");
  const auto name = [&](const std::string& pipeline, const std::string& id) {
    return application_name(tables, {pipeline, "main", id, ""});
  };
  CHECK(name("clicks", "0123456789ab").full == "semel/clicks/main/01234567");
  CHECK(name("clicks", "a").prefix == name("clicks", "b").prefix);
  CHECK(name("clicks", "aaaaaaaa1").full != name("clicks", "bbbbbbbb1").full);
  const auto long_name = name(std::string(200, 'x'), "0123456789ab").full;
  CHECK(long_name.size() <= 63);
  CHECK(long_name != name(std::string(201, 'x'), "0123456789ab").full);
  CHECK(name("gr\xC3\xBC\xC3\x9F", "01234567").full.find('\xC3') == std::string::npos);
  Options renamed;
  renamed.owners_table = "owners";
  for (const auto& elsewhere : {ledger_tables({}, "other"), ledger_tables(renamed, "public")}) {
    CHECK(application_name(elsewhere, {"clicks", "main", "x", ""}).prefix !=
          name("clicks", "x").prefix);
  }
}

TEST_CASE("what a log says of a bad record names columns and constraints, and quotes no value") {
  Table table{.name = "people", .columns = {{.name = "id"}, {.name = "mail"}, {.name = "ma"}}};
  const auto told = [&](const ServerError& error) {
    return record::for_log(bad_record_of(error, table), code_name);
  };
  CHECK(told({.sqlstate = "22P02",
              .message = "invalid input syntax for type inet: \"10.0.0.1 \"quoted\" secret\"",
              .context = "COPY people, line 7, column mail: \"10.0.0.1 \"\""}) ==
        "column \"mail\": invalid input syntax for type inet: … (SQLSTATE 22P02)");
  CHECK(told({.sqlstate = "22P02",
              .message = "ungültige Eingabesyntax für Typ inet: »geheim«",
              .context = "COPY people, Zeile 7, Spalte ma: »geheim, mail«"}) ==
        "column \"ma\": ungültige Eingabesyntax für Typ inet: … (SQLSTATE 22P02)");
  CHECK(told({.sqlstate = "23514",
              .message = "new row for relation \"people\" violates check constraint \"adult\"",
              .detail = "Failing row contains (1, jane@example.org).",
              .context = "COPY people, line 1: \"1\tjane@example.org, column mail\"",
              .table = "people",
              .constraint = "adult"}) ==
        "new row for relation \"people\" violates check constraint \"adult\" (SQLSTATE 23514)");
  // A function says what it likes.
  CHECK(
      told({.sqlstate = "P0001",
            .message = "jane@example.org is under age",
            .context =
                "PL/pgSQL function check_age() line 3 at RAISE\nCOPY people, line 1: \"1\""}) ==
      "a trigger or function refuses it (PL/pgSQL function check_age() line 3 at RAISE) (SQLSTATE "
      "P0001)");
  CHECK(told({.sqlstate = "42P01",
              .message = "relation jane does not exist",
              .context = "SQL statement \"INSERT INTO jane VALUES (1)\"\nPL/pgSQL function f()"}) ==
        "a trigger or function refuses it (SQLSTATE 42P01)");
  CHECK(told({.sqlstate = "22000", .message = "tab\there\x1b[31m and \x7f"}) ==
        "tab here [31m and   (SQLSTATE 22000)");
  // Of a column that is not the table's, a trigger's table has one of that name.
  CHECK(bad_record_of({.sqlstate = "23502", .message = "x", .column = "audited"}, table).column ==
        "");
  CHECK(bad_record_of({.sqlstate = "23502", .message = "x", .column = "id"}, table).column == "id");
  // The encoder's reasons begin with the column: it is named once.
  CHECK(record::for_log({.column = "id", .code = "22P02", .reason = "column \"id\" (bigint): null"},
                        code_name) == "column \"id\" (bigint): null (SQLSTATE 22P02)");
}

TEST_CASE("what the server says of itself is told whole, wherever it was met") {
  // PostgreSQL 15's fields.
  const ServerError deadlock{
      .sqlstate = "40P01",
      .message = "deadlock detected",
      .detail = "Process 7 waits for ShareLock on transaction 9; blocked by process 8.",
      .hint = "See server log for query details.",
      .context =
          "while inserting index tuple (0,2) in relation \"t_pkey\"\n"
          "COPY t, line 1",
      .source_file = "deadlock.c",
      .source_function = "DeadLockReport"};
  CHECK(log_text(deadlock) == deadlock.text());
  CHECK(log_hint(deadlock) == deadlock.hint);
  CHECK_FALSE(said_by_function(deadlock));
  const ServerError right{.sqlstate = "42703",
                          .message = "column \"msg\" of relation \"g\" does not exist"};
  CHECK(log_text(right) == right.message);
  // A session is ended in the middle of a function as well.
  ServerError ended{.sqlstate = "57P01",
                    .message = "terminating connection due to administrator command",
                    .context = "PL/pgSQL function slow() line 1 at PERFORM\nCOPY t, line 1",
                    .source_file = "postgres.c",
                    .source_function = "ProcessInterrupts",
                    .session_ended = true};
  CHECK(log_text(ended) == ended.message);
  // Other code speaks with the same codes: Python's plpy.fatal() ends a session as well.
  ended.source_file = "plpy_plpymodule.c";
  ended.source_function = "PLy_output";
  CHECK(log_text(ended) ==
        "a trigger or function refuses it (PL/pgSQL function slow() line 1 at PERFORM)");
}

TEST_CASE("a row's error is told without detail, hint and what it quotes, whatever its code") {
  const ServerError internal{.sqlstate = "XX000",
                             .message = "parse error - invalid geometry \"POINT(1 2\"",
                             .detail = "POINT(1 2",
                             .hint = "\"POINT(1\" <-- parse error at position 9",
                             .context = "COPY t, line 1, column g: \"POINT(1 2\"",
                             .source_function = "parse"};
  CHECK(log_text(internal) == "parse error - invalid geometry …");
  CHECK(log_hint(internal).empty());
  const ServerError remote{.sqlstate = "40001",
                           .message = "again, jane",
                           .context = "remote SQL command: INSERT INTO t VALUES ($1)",
                           .source_function = "pgfdw_report_error"};
  CHECK(log_text(remote) == "a trigger or function refuses it");
}

TEST_CASE("the column is the one that COPY names, in any language, and never one of the value") {
  const Table table{.name = "ev7", .columns = {{.name = "n"}, {.name = "line"}, {.name = "n two"}}};
  CHECK(copy_column("COPY ev7, line 2, column n: \"x\"", table) == "n");
  CHECK(copy_column("COPY ev7, line 2, column line: \"n\"", table) == "line");
  CHECK(copy_column("COPY ev7, line 2, column n two: \"n\"", table) == "n two");
  CHECK(copy_column("COPY ev7, line 2, column n", table) == "n");  // as binary COPY says it
  CHECK(copy_column("COPY ev7, line 2, column n: null input", table) == "n");
  CHECK(copy_column("COPY ev7, ligne 2, colonne n : « x »", table) == "n");
  CHECK(copy_column("COPY ev7, строка 2, столбец n: \"x\"", table) == "n");
  CHECK(copy_column("COPY ev7, 第 2 行, 列 n: \"x\"", table) == "n");
  CHECK(copy_column("ev7のCOPY、行 2、列 n: \"x\"", table) == "n");
  CHECK_FALSE(copy_column("COPY ev7, line 2: \"1\tcolumn n: x\"", table));
  CHECK_FALSE(copy_column("COPY ev7, Zeile 3: »3, Spalte n«", table));
  CHECK_FALSE(copy_column("COPY ev7, line 2", table));
}
