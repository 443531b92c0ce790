// A sink of one's own (own_sink.hpp), with a ledger that operators can use.
//
//   own_sink                           holds it to the contract, and tells in TAP
//   own_sink FILE.toml STORE [--once]  runs the pipeline of a configuration file into STORE
#include "own_sink.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <iostream>

#include <semel/contract/main.hpp>
#include <semel/pipeline.hpp>

using namespace own;

namespace {

Move move_of(const json& m) {
  return {.tp = {m[0], m[1]},
          .batch_time = {m[2]},
          .epoch = m[3],
          .from = m[4],
          .until = m[5],
          .kind = MoveKind(int(m[6])),
          .rows = m[7],
          .dead_letters = m[8],
          .committed_at = m[9]};
}

class OwnLedger : public Ledger {
 public:
  OwnLedger(const std::string& file, const std::string& pipeline, const std::string& output)
      : store_{file, pipeline + "/" + output} {}

  Result<std::optional<OwnerStatus>> owner() override {
    const auto output = store_.read();
    const auto& owner = output["owner"];
    if (owner["epoch"] == 0) return std::nullopt;
    constexpr double ms = 1'000;
    OwnerStatus status;
    status.epoch = owner["epoch"];
    status.id = owner["id"];
    status.description = owner["who"];
    status.since = owner["since"];
    status.seen_seconds_ago = double(now_ms() - std::int64_t(owner["seen"])) / ms;
    status.cluster_id = owner["cluster"];
    status.state = OwnerState(int(owner["state"]));
    status.reason = owner["reason"];
    status.heartbeat_ms = owner["beat"];
    const bool silent = status.seen_seconds_ago * ms > 5.0 * double(status.heartbeat_ms);
    if (status.state == OwnerState::running && silent) status.state = OwnerState::silent;
    return status;
  }
  Result<std::vector<Progress>> progress() override { return positions(store_.read()); }
  Result<std::vector<Progress>> history(
      const std::function<void(std::span<const Move>)>& see) override {
    const auto output = store_.read();
    std::vector<Move> all;
    for (const auto& m : output["history"]) all.push_back(move_of(m));
    std::ranges::stable_sort(all, {}, &Move::tp);
    see(all);
    return positions(output);
  }
  Result<Counts> counts() override {
    Counts counts;
    const auto output = store_.read();
    for (const auto& m : output["history"]) {
      const auto one = move_of(m);
      if (one.kind != MoveKind::commit) continue;
      if (counts.commits++ == 0) counts.since = one.committed_at;
      counts.rows += one.rows;
      counts.dead_letters += one.dead_letters;
    }
    return counts;
  }
  Result<std::uint64_t> dead_letters() override { return store_.read()["dead"].size(); }
  Result<void> set(std::span<const Progress> to, bool force) override {
    return as_operator(force, [&](json& output) {
      for (auto one : to) jump(output, std::move(one));
    });
  }
  Result<void> reset(bool force) override {
    return as_operator(force, [&](json& output) {
      for (auto& one : positions(output)) jump(output, std::move(one));
      output["progress"].clear();
      output["owner"]["cluster"] = "";
    });
  }

 private:
  /// With a new epoch, which fences whoever runs.
  template <class Action>
  Result<void> as_operator(bool force, Action action) {
    const auto before = owner();
    if (*before && !force && (*before)->state == OwnerState::running) {
      return fail(ErrorKind::fatal, Cause::sink, (*before)->description + " is running: stop it");
    }
    auto done = store_.write<bool>(false, 10s, [&](json& output) {
      auto& owner = output["owner"];
      owner["epoch"] = owner["epoch"].get<std::int64_t>() + 1;
      owner["id"] = owner["who"] = "an operator";
      owner["state"] = int(OwnerState::stopped);
      action(output);
      return true;
    });
    return done ? Result<void>() : tl::unexpected(done.error());
  }
  static void jump(json& output, Progress to) {
    const auto entry = entry_of(output, &to.tp);
    to.batch_time = entry.batch_time;
    move(output, MoveKind::set, entry.epoch, entry.until.value_or(to.until), to);
  }
  Store store_;
};

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

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    return contract::run_and_tell(
        std::cout, [] { return std::make_unique<OwnSubject>(); }, Guarantee::transactional);
  }
  const auto config = Config::load(argv[1]);
  if (!config) return std::cerr << config.error().message << '\n', 1;
  PipelineSetup setup;
  setup.once = argc > 3 && std::string_view(argv[3]) == "--once";
  setup.outputs.push_back({.make_sink = [file = std::string(argv[2])](const Owner& owner) {
    return Result<std::unique_ptr<Sink>>(std::make_unique<OwnSink>(file, owner));
  }});
  auto pipeline = Pipeline::create(*config, std::move(setup));
  if (!pipeline) return std::cerr << pipeline.error().message << '\n', 1;
  const auto done = pipeline->run();
  if (!done) return std::cerr << done.error().message << '\n', 1;
  return 0;
}
