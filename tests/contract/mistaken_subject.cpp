#include <ctime>

#include "contract/mistaken_world.hpp"

namespace semel::contract {

namespace {

class MistakenSubject final : public Subject {
 public:
  MistakenSubject(Mistake mistake, Guarantee guarantee, Manner manner)
      : world_(std::make_shared<World>(mistake, guarantee, manner)) {}

  std::unique_ptr<Sink> open(const Owner& owner) override { return mistaken_sink(world_, owner); }
  std::unique_ptr<Ledger> ledger(const std::string& pipeline, const std::string& output) override {
    return mistaken_ledger(world_, {pipeline, output});
  }
  std::string good_value(Offset offset) override { return "{" + std::to_string(offset) + "}"; }
  std::optional<std::string> bad_value() override {
    return tells() ? std::optional<std::string>("bad") : std::nullopt;
  }
  std::vector<Offset> stored() override { return all(world_->rows); }
  std::vector<Offset> dead() override { return all(world_->dead); }
  std::optional<std::string> expected(const Record& record) override {
    const bool is_row = !record.value || record.value->starts_with('{');
    return is_row && tells() ? std::optional(whole(record)) : std::nullopt;
  }
  std::map<Offset, std::string> contents() override { return texts(world_->rows); }
  std::optional<std::string> expected_dead(const Record& record) override {
    return tells() ? std::optional(whole(record)) : std::nullopt;
  }
  std::map<Offset, std::string> dead_contents() override { return texts(world_->dead); }
  std::map<Offset, std::string> dead_reasons() override {
    const Lock lock(world_->one_at_a_time);
    std::map<Offset, std::string> all;
    for (const auto& [offset, reason] : world_->reasons) {
      if (tells() && world_->dead.contains(offset)) all[offset] = reason;
    }
    return all;
  }
  bool lose_positions() override {
    if (!tells()) return false;
    const Lock lock(world_->one_at_a_time);
    for (auto& [name, pipeline] : world_->pipelines) pipeline.progress.clear();
    return true;
  }
  std::shared_ptr<void> hold_up() override {
    return tells() ? std::make_shared<Lock>(world_->one_at_a_time) : nullptr;
  }

 private:
  bool tells() const { return world_->manner != Manner::tells_nothing; }
  std::map<Offset, std::string> texts(const std::multiset<Offset>& offsets) {
    const Lock lock(world_->one_at_a_time);
    std::map<Offset, std::string> all;
    for (const auto offset : offsets) all[offset] = world_->texts.at(offset);
    return all;
  }
  std::vector<Offset> all(const std::multiset<Offset>& offsets) {
    const Lock lock(world_->one_at_a_time);
    return {offsets.begin(), offsets.end()};
  }

  std::shared_ptr<World> world_;
};

}  // namespace

std::string whole(const Record& record) {
  auto text = text_of(record.key, record.value) + " at " + std::to_string(record.timestamp_ms);
  for (const auto& header : record.headers()) text += ", " + text_of(header.name, header.value);
  return text;
}

std::string now_text() {
  const auto now = std::chrono::system_clock::now().time_since_epoch() / milliseconds(1);
  const std::time_t seconds = now / 1'000;
  std::tm utc{};
  std::string text(19, ' ');
  std::strftime(text.data(), text.size() + 1, "%FT%T", gmtime_r(&seconds, &utc));
  return text + "." + std::to_string(1'000 + now % 1'000).substr(1) + "Z";
}

bool is_odd(std::optional<std::string_view> text) {
  constexpr std::size_t room = 1'000;
  return text && (text->size() > room || text->find_first_of({"\0\xff", 2}) != text->npos);
}

std::unique_ptr<Subject> mistaken_subject(Mistake mistake, Guarantee guarantee, Manner manner) {
  return std::make_unique<MistakenSubject>(mistake, guarantee, manner);
}

void release_hung() {
  World::released = true;
  while (World::count > 0) std::this_thread::sleep_for(milliseconds(5));
  World::released = false;
}

}  // namespace semel::contract
