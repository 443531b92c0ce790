#include "source/file_log.hpp"

#include <filesystem>
#include <fstream>
#include <thread>

#include "support/catch.hpp"
#include "support/temp_dir.hpp"
#include "unit/source/logs.hpp"

namespace semel::test {

namespace {

using Catch::Matchers::Contains;

/// A folder of files, and a catalogue beside it.
struct Folder {
  TempDir dir{"semel-files"};
  std::string files = (dir.path() / "files").string();

  Folder() { std::filesystem::create_directory(files); }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(files + "/" + name, std::ios::binary) << text;
  }
  std::shared_ptr<source::FileLog> open(std::int64_t settled_after_ms = 0,
                                        const std::string& pattern = ".*") const {
    return source::FileLog::open("+files.f",
                                 state::open_disk((dir.path() / "catalogue").string()).value(),
                                 {files, pattern, settled_after_ms})
        .value();
  }
};

Offset end_of(source::FileLog& log) {
  // It looks at the folder only now and then.
  std::this_thread::sleep_for(std::chrono::milliseconds(120));
  return log.bounds().value().end;
}

}  // namespace

TEST_CASE("lines are numbered in the order of files' names, and new files go behind") {
  const Folder folder;
  folder.write("b.txt", "three\nfour");
  folder.write("a.txt", "one\r\ntwo\n");
  folder.write("empty.txt", "");
  folder.write(".hidden", "no\n");
  folder.write("half.tmp", "no\n");
  const auto log = folder.open();
  REQUIRE(end_of(*log) == 4);
  CHECK(read_all(*log, 0, 4) == Lines{{0, "one"}, {1, "two"}, {2, "three"}, {3, "four"}});
  folder.write("aa.txt", "five\n");
  REQUIRE(end_of(*log) == 5);
  CHECK(read_all(*log, 3, 5) == Lines{{3, "four"}, {4, "five"}});
  KeptRecords kept;
  REQUIRE(log->read(4, 5, 1, kept));
  CHECK(kept[0].key == "aa.txt");
}

TEST_CASE("each line tells its file and its number there, for whoever looks for a bad one") {
  const Folder folder;
  folder.write("a.txt", "one\ntwo\n");
  folder.write("b.txt", "three\nfour\n");
  const auto log = folder.open();
  REQUIRE(end_of(*log) == 4);
  KeptRecords kept;
  REQUIRE(log->read(2, 4, 2, kept));
  REQUIRE(kept.size() == 2);
  CHECK(kept[1].key == "b.txt");
  const auto headers = kept[1].headers();
  REQUIRE(headers.size() == 1);
  CHECK(headers[0].name == "semel-line");
  CHECK(headers[0].value == "2");
}

TEST_CASE("the catalogue survives, and files that are done with may go") {
  const Folder folder;
  folder.write("a.txt", "one\ntwo\n");
  CHECK(end_of(*folder.open()) == 2);
  folder.write("b.txt", "three\n");
  std::filesystem::remove(folder.files + "/a.txt");
  const auto log = folder.open();
  REQUIRE(end_of(*log) == 3);
  CHECK(read_all(*log, 2, 3) == Lines{{2, "three"}});
}

TEST_CASE("a file that has changed, or is gone, is a loss of all of its lines") {
  const Folder folder;
  folder.write("a.txt", "one\ntwo\n");
  folder.write("b.txt", "three\n");
  const auto [name, text, what] = GENERATE(table<std::string, std::string, std::string>(
      {{"a.txt", "one\nTWO\n", "it has changed"}, {"a.txt", "", "it is gone"}}));
  auto log = folder.open();
  REQUIRE(end_of(*log) == 3);
  log.reset();
  if (text.empty()) {
    std::filesystem::remove(folder.files + "/" + name);
  } else {
    folder.write(name, text);
  }
  log = folder.open();
  KeptRecords kept;
  const auto read = log->read(0, 3, 10, kept);
  REQUIRE_FALSE(read);
  CHECK(read.error().kind == ErrorKind::data_loss);
  CHECK_THAT(read.error().message, Contains("a.txt") && Contains(what));
  CHECK(log->bounds().value().first == 2);
  CHECK(read_all(*log, 2, 3) == Lines{{2, "three"}});
}

TEST_CASE("a file counts when it has not grown for a while, or when it is said to be done") {
  const Folder folder;
  const auto log = folder.open(300);
  folder.write("a.txt", "one\n");
  folder.write("b.txt", "two\n");
  CHECK(end_of(*log) == 0);
  folder.write("b.txt.done", "");
  CHECK(end_of(*log) == 1);
  for (int i = 0; i < 4; ++i) {
    folder.write("a.txt", std::string(static_cast<std::size_t>(i + 2), 'x') + "\n");
    CHECK(end_of(*log) == 1);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  CHECK(end_of(*log) == 2);
  CHECK(read_all(*log, 0, 2) == Lines{{0, "two"}, {1, "xxxxx"}});
}

TEST_CASE("a name that comes again with another file is another file") {
  const Folder folder;
  const auto log = folder.open();
  folder.write("a.txt", "one\n");
  REQUIRE(end_of(*log) == 1);
  folder.write("new.tmp", "two\n");
  std::filesystem::rename(folder.files + "/new.tmp", folder.files + "/a.txt");
  REQUIRE(end_of(*log) == 2);
  CHECK(read_all(*log, 1, 2) == Lines{{1, "two"}});
}

TEST_CASE(
    "a file that is made anew in the place of a committed one is another, and one that grew is "
    "told") {
  const Folder folder;
  const auto log = folder.open();
  folder.write("a.txt", "one\ntwo\n");
  REQUIRE(end_of(*log) == 2);
  log->passed(2);
  // The same inode, as `cp` and a folder that is emptied and filled again make it.
  folder.write("a.txt", "three\nfour\n");
  REQUIRE(end_of(*log) == 4);
  CHECK(read_all(*log, 2, 4) == Lines{{2, "three"}, {3, "four"}});
  log->passed(4);
  std::ofstream(folder.files + "/a.txt", std::ios::app) << "five\n";
  std::this_thread::sleep_for(std::chrono::milliseconds(120));
  const auto grown = log->bounds();
  REQUIRE_FALSE(grown);
  CHECK_THAT(grown.error().message, Contains("a.txt") && Contains("has changed"));
}

TEST_CASE("lines before a file that is gone can be read, and then its own are what is lost") {
  const Folder folder;
  const auto log = folder.open();
  folder.write("a.txt", "one\n");
  folder.write("b.txt", "lost\n");
  folder.write("c.txt", "three\n");
  REQUIRE(end_of(*log) == 3);
  log->passed(0);
  std::filesystem::remove(folder.files + "/b.txt");
  CHECK(end_of(*log) == 1);
  log->passed(1);
  CHECK(end_of(*log) == 3);
  CHECK(log->bounds().value().first == 2);
}

TEST_CASE("a long file is read from any line, and what cannot be read now is not lost") {
  const Folder folder;
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += std::to_string(i) + "\n";
  folder.write("a.txt", text);
  const auto log = folder.open();
  REQUIRE(end_of(*log) == 200'000);
  for (const Offset from : {0, 65'535, 65'536, 199'999, 131'072, 70'000, 5, 199'998}) {
    KeptRecords kept;
    REQUIRE(log->read(from, from + 2, 2, kept));
    CHECK(kept[0].value == std::to_string(from));
  }
}

TEST_CASE("only names that match count, and a folder that is not there is told") {
  const Folder folder;
  folder.write("a.csv", "one\n");
  folder.write("b.txt", "two\n");
  const auto log = folder.open(0, R"(.*\.csv)");
  CHECK(end_of(*log) == 1);
  std::filesystem::remove_all(folder.files);
  std::this_thread::sleep_for(std::chrono::milliseconds(120));
  CHECK_THAT(log->bounds().error().message, Contains(folder.files));
}

}  // namespace semel::test
