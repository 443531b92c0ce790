// What people see: numbers, tables, the progress bar; and how causes become exit codes.
#include "cli/text.hpp"

#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "base/joined.hpp"
#include "base/one_line.hpp"
#include "cli/exit_code.hpp"
#include "cli/progress_bar.hpp"
#include "support/catch.hpp"

using namespace semel;
using namespace semel::cli;

TEST_CASE("numbers are grouped by thousands") {
  CHECK(grouped(std::int64_t{0}) == "0");
  CHECK(grouped(std::int64_t{999}) == "999");
  CHECK(grouped(std::int64_t{1000}) == "1,000");
  CHECK(grouped(std::int64_t{-1234567}) == "-1,234,567");
  CHECK(grouped(std::numeric_limits<std::int64_t>::min()) == "-9,223,372,036,854,775,808");
  CHECK(grouped(std::numeric_limits<std::uint64_t>::max()) == "18,446,744,073,709,551,615");
}

TEST_CASE("spans of time are rounded to what people want to know") {
  CHECK(for_people(0.44) == "0.4 s");
  CHECK(for_people(59.4) == "59 s");
  CHECK(for_people(75) == "1 min 15 s");
  CHECK(for_people(7300) == "2 h 1 min");
  CHECK(for_people(90000) == "1 d 1 h");
  CHECK(for_people(-1) == "0.0 s");
}

TEST_CASE("a table aligns numbers to the right and counts characters, not bytes") {
  CHECK(table({{"partition", "lag"}, {"clicks[0]", "7"}, {"clické[1]", "1,234"}}) ==
        "partition    lag\n"
        "clicks[0]      7\n"
        "clické[1]  1,234\n");
  CHECK(table({{"a", "chain"}, {"b", "ok"}}, true) == "a  chain\nb  ok\n");
}

TEST_CASE("the progress bar shows records, rate, lag and time left") {
  const Snapshot half{.offsets = 500'000, .lag = 500'000};
  CHECK(progress_line(half, 100'000, 200) ==
        "[===============               ]  50%  500,000 offsets  100,000/s  lag 500,000  5.0 s "
        "left");
  const Snapshot done{.offsets = 10, .dead_letters = 2, .lag = 0};
  CHECK(progress_line(done, 0, 200) ==
        "[==============================] 100%  10 offsets  0/s  lag 0  2 dead letters");
  CHECK(progress_line({}, 0, 80) == "connecting ...");
}

TEST_CASE("the progress bar never reaches beyond the terminal, and is 100 % only at the end") {
  const Snapshot almost{.offsets = 999'999, .lag = 1};
  for (const int width : {1, 10, 40, 80, 120}) {
    CHECK(progress_line(almost, 1e6, width).size() < static_cast<std::size_t>(std::max(width, 2)));
  }
  CHECK(progress_line(almost, 1e6, 120).find(" 99%") != std::string::npos);
}

TEST_CASE("every cause has the exit code that is documented") {
  CHECK(static_cast<int>(exit_code_of(Cause::internal)) == 1);
  CHECK(static_cast<int>(exit_code_of(Cause::configuration)) == 2);
  CHECK(static_cast<int>(exit_code_of(Cause::source)) == 3);
  CHECK(static_cast<int>(exit_code_of(Cause::sink)) == 4);
  CHECK(static_cast<int>(exit_code_of(Cause::fenced)) == 5);
  CHECK(static_cast<int>(exit_code_of(Cause::data_loss)) == 6);
  CHECK(static_cast<int>(exit_code_of(Cause::bad_record)) == 7);
  CHECK(static_cast<int>(exit_code_of(Cause::state)) == 8);
  CHECK(static_cast<int>(exit_code_of(Cause::program)) == 1);
  CHECK(static_cast<int>(ExitCode::second_signal) == 130);
}

TEST_CASE("what others say stays one line and moves no cursor") {
  CHECK(one_line("one line stays") == "one line stays");
  CHECK(one_line("first\n  second\r\n\tthird\n") == "first second third");
  CHECK(one_line("\n") == "");
  CHECK(one_line("red \x1b[31m bell\a del\x7f") == "red \\x1B[31m bell\\x07 del\\x7F");
  CHECK(one_line("csi \xC2\x9B"
                 "2J gr\xC3\xBC\xC3\x9F") == "csi \\x9B2J gr\xC3\xBC\xC3\x9F");
  CHECK(one_line(std::string_view("nul \0", 5)) == "nul \\x00");
}

TEST_CASE("a list is told with something between its parts, and only there") {
  CHECK(joined(std::vector<int>{}, ", ") == "");
  CHECK(joined(std::vector{7}, ", ") == "7");
  CHECK(joined(std::vector<std::string_view>{"a", "", "b"}, ", ") == "a, , b");
}
