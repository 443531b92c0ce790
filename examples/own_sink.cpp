// A sink of one's own (own_sink.hpp), with a ledger (own_ledger.hpp) that operators can use.
//
//   own_sink                           holds it to the contract, and tells in TAP
//   own_sink FILE.toml STORE [--once]  runs the pipeline of a configuration file into STORE
//   own_sink status STORE PIPELINE     who owns its output, and how far that has come
//   own_sink verify STORE PIPELINE     whether its history has no gap
//   own_sink set STORE PIPELINE TOPIC:PARTITION=OFFSET  moves a position, while nobody runs
#include "own_sink.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <map>

#include <semel/contract/main.hpp>
#include <semel/names.hpp>
#include <semel/pipeline.hpp>

#include "own_ledger.hpp"

using namespace own;

namespace {

class OwnSubject : public contract::Subject {
 public:
  OwnSubject() {
    std::string name = std::filesystem::temp_directory_path() / "own_sink-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    directory_ = name;
  }
  ~OwnSubject() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<Sink> open(const Owner& owner) override {
    return std::make_unique<OwnSink>(file(), owner);
  }
  std::unique_ptr<Ledger> ledger(const std::string& pipeline, const std::string& output) override {
    return std::make_unique<OwnLedger>(file(), pipeline, output);
  }
  std::string good_value(Offset offset) override { return std::to_string(offset); }
  std::optional<std::string> bad_value() override { return "{"; }
  std::vector<Offset> stored() override { return offsets("rows"); }
  std::vector<Offset> dead() override { return offsets("dead"); }
  std::optional<std::string> expected(const Record& record) override {
    // Of what has a key the document no longer says which record it was.
    if (record.key || !record.value || !json::accept(*record.value)) return std::nullopt;
    return std::string(*record.value);
  }
  std::map<Offset, std::string> contents() override {
    std::map<Offset, std::string> all;
    for (const auto& output : Store{file(), ""}.document()) {
      for (const auto& [key, value] : output["rows"].items())
        all[std::stoll(key.substr(key.rfind(':') + 1))] = value.dump();
    }
    return all;
  }
  bool lose_positions() override { return false; }  // history and positions are one document
  std::shared_ptr<void> hold_up() override {
    std::shared_ptr<Closed> lock(
        new Closed{::open((file() + ".lock").c_str(), O_RDWR | O_CREAT, 0644)});
    if (flock(lock->file, LOCK_EX) != 0) throw std::runtime_error("no lock");
    return lock;
  }

 private:
  std::string file() const { return directory_ / "store.json"; }
  /// Records without a key are stored under their partition and offset.
  std::vector<Offset> offsets(const char* what) const {
    std::vector<Offset> all;
    const auto document = Store{file(), ""}.document();
    for (const auto& output : document) {
      for (const auto& [key, value] : output[what].items()) {
        all.push_back(std::stoll(key.substr(key.rfind(':') + 1)));
      }
    }
    std::ranges::sort(all);
    return all;
  }
  std::filesystem::path directory_;
};

int failed(const Error& error) {
  return std::cerr << error.message << '\n', 1;
}

int status(Ledger& ledger) {
  const auto owner = ledger.owner();
  if (!owner) return failed(owner.error());
  if (!*owner) return std::cout << "never started\n", 0;
  const auto& who = **owner;
  std::cout << name_of(who.state) << ": " << who.description << ", since " << who.since << '\n';
  const auto progress = ledger.progress();
  if (!progress) return failed(progress.error());
  for (const auto& at : *progress) std::cout << to_string(at.tp) << ' ' << at.until << '\n';
  return 0;
}

/// Each move begins where the one before has ended, but for a start behind a reset.
int verify(Ledger& ledger) {
  std::map<TopicPartition, Offset> ends;
  bool whole = true;
  const auto progress = ledger.history([&](std::span<const Move> moves) {
    for (const auto& move : moves) {
      auto& end = ends.try_emplace(move.tp, move.from).first->second;
      whole = whole && (move.from == end || move.kind == MoveKind::start);
      end = move.until;
    }
  });
  if (!progress) return failed(progress.error());
  for (const auto& at : *progress) whole = whole && ends[at.tp] == at.until;
  return std::cout << (whole ? "whole\n" : "BROKEN\n"), whole ? 0 : 1;
}

int set(Ledger& ledger, const std::string& to) {
  const auto colon = to.rfind(':');
  const auto equals = to.find('=', colon);
  if (equals == std::string::npos) return std::cerr << "TOPIC:PARTITION=OFFSET\n", 2;
  Progress at;
  at.tp = {to.substr(0, colon), std::stoi(to.substr(colon + 1))};
  at.until = std::stoll(to.substr(equals + 1));
  const auto done = ledger.set({&at, 1}, false);
  return done ? 0 : failed(done.error());
}

int run(const std::string& file, const std::string& store, bool once) {
  const auto config = Config::load(file);
  if (!config) return failed(config.error());
  PipelineSetup setup;
  setup.once = once;
  setup.outputs.push_back({.make_sink = [store](const Owner& owner) {
    return Result<std::unique_ptr<Sink>>(std::make_unique<OwnSink>(store, owner));
  }});
  auto pipeline = Pipeline::create(*config, std::move(setup));
  if (!pipeline) return failed(pipeline.error());
  const auto done = pipeline->run();
  return done ? 0 : failed(done.error());
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() < 2) {
    return contract::run_and_tell(
        std::cout, [] { return std::make_unique<OwnSubject>(); }, Guarantee::transactional);
  }
  if (words.size() > 2 && words[2] != "--once") {
    OwnLedger ledger(words[1], words[2], "default");
    if (words[0] == "status") return status(ledger);
    if (words[0] == "verify") return verify(ledger);
    if (words[0] == "set" && words.size() > 3) return set(ledger, words[3]);
    return std::cerr << "status, verify or set, with a position\n", 2;
  }
  return run(words[0], words[1], words.size() > 2);
}
