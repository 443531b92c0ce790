#include "postgres/letters/letters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "postgres/client/quoting.hpp"
#include "postgres/ledger/ledger_place.hpp"
#include "postgres/ledger/ledger_tables.hpp"
#include "postgres/letters/redrive.hpp"
#include "postgres/rows/row_stream.hpp"
#include "postgres/session/rehearsal.hpp"
#include "postgres/table/guard.hpp"
#include "postgres/table/routing.hpp"

namespace semel::postgres {

namespace {

/// How many letters one transaction takes.
constexpr std::size_t letters_per_piece = 1'000;

/// " AND …"
std::string condition_of(const LetterFilter& filter) {
  std::string sql;
  const auto add = [&](std::string_view what, const auto& value) {
    if (value) sql += fmt::format(" AND {} {}", what, *value);
  };
  const auto text = [&](std::string_view what, const std::optional<std::string>& value) {
    if (value) sql += fmt::format(" AND {} {}", what, quote_literal(*value));
  };
  text("topic =", filter.topic);
  add("\"partition\" =", filter.partition);
  add("\"offset\" >=", filter.from);
  add("\"offset\" <", filter.until);
  text("coalesce(column_name, '') =", filter.column);
  text("sqlstate =", filter.code);
  if (filter.reason)
    sql += fmt::format(" AND strpos(reason, {}) > 0", quote_literal(*filter.reason));
  if (filter.since)
    sql += fmt::format(" AND failed_at >= {}::timestamptz", quote_literal(*filter.since));
  if (filter.before)
    sql += fmt::format(" AND failed_at < {}::timestamptz", quote_literal(*filter.before));
  return sql;
}

/// Times are read by the server.
Result<void> look_at_times(Connection& connection, const LetterFilter& filter) {
  for (const auto& [option, time] :
       {std::pair("--since", filter.since), std::pair("--before", filter.before)}) {
    if (!time) continue;
    const auto reply =
        connection.exchange(fmt::format("SELECT {}::timestamptz", quote_literal(*time)));
    if (reply.lost) return tl::unexpected(to_error(reply, "reading a time"));
    if (reply.ok()) continue;
    return fail(ErrorKind::fatal, Cause::configuration,
                fmt::format("{} takes a time as PostgreSQL reads it (2026-11-01, '2026-11-01 "
                            "12:00+01', yesterday), not \"{}\"",
                            option, *time));
  }
  return {};
}

class PostgresLetters final : public DeadLetterBox {
 public:
  PostgresLetters(std::unique_ptr<Connection> connection, std::unique_ptr<Shared> shared,
                  std::optional<Error> elsewhere)
      : connection_(std::move(connection)),
        shared_(std::move(shared)),
        elsewhere_(std::move(elsewhere)) {}

  Result<std::vector<LetterGroup>> groups(const LetterFilter& filter) override {
    if (auto read = look_at_times(*connection_, filter); !read) return tl::unexpected(read.error());
    const auto reply = connection_->run(
        fmt::format(
            "SELECT topic, coalesce(column_name, ''), sqlstate, count(*), {}, {}, "
            "(array_agg(reason ORDER BY failed_at DESC))[1] FROM {} WHERE {} GROUP BY 1, 2, 3 "
            "ORDER BY 4 DESC, 1, 2, 3",
            iso_time("min(failed_at)"), iso_time("max(failed_at)"), shared_->tables.dead_letters,
            mine_of(filter)),
        "counting dead letters", row_patience(shared_->options));
    if (!reply) return tl::unexpected(reply.error());
    std::vector<LetterGroup> groups;
    const auto& rows = reply->table(0);
    for (int row = 0; row < rows.size(); ++row) {
      groups.push_back({rows.text(row, 0), rows.text(row, 1), rows.text(row, 2),
                        static_cast<std::uint64_t>(rows.number(row, 3)), rows.text(row, 4),
                        rows.text(row, 5), rows.text(row, 6)});
    }
    return groups;
  }

  Result<std::vector<DeadLetter>> letters(const LetterFilter& filter, std::size_t limit) override {
    if (auto read = look_at_times(*connection_, filter); !read) return tl::unexpected(read.error());
    auto some = read_letters(*connection_, shared_->tables.dead_letters, mine_of(filter), limit);
    if (!some) return tl::unexpected(some.error());
    std::vector<DeadLetter> letters;
    for (auto& one : *some) letters.push_back(std::move(one.letter));
    return letters;
  }

  Result<Redriven> redrive(const LetterFilter& filter, How how) override {
    if (elsewhere_) return tl::unexpected(*elsewhere_);
    const auto rules = table_rules(shared_->options);
    const auto replaces = [](const Options& rule) {
      return rule.write == Write::upsert && rule.version.empty();
    };
    if (const auto rule = std::ranges::find_if(rules, replaces);
        rule != rules.end() && !how.overwrite) {
      return fail(
          ErrorKind::fatal, Cause::configuration,
          fmt::format("{}: write = \"upsert\" without {}: a letter may be older than the row of "
                      "its key, and would take its place. Say --overwrite if that is meant",
                      name_of_rule(*rule),
                      rules.size() == 1 ? rule->names("sink.postgres.version") : "a version"));
    }
    if (auto read = look_at_times(*connection_, filter); !read) return tl::unexpected(read.error());
    Redriven all;
    std::string behind;
    while (true) {
      const auto piece = read_letters(*connection_, shared_->tables.dead_letters,
                                      mine_of(filter) + behind, letters_per_piece);
      if (!piece) return tl::unexpected(piece.error());
      if (piece->empty()) return all;
      auto done = redrive_piece(*connection_, *shared_, *piece, how);
      if (!done) return tl::unexpected(done.error());
      all.add(*std::move(done));
      behind = behind_of(piece->back());
    }
  }

  Result<std::uint64_t> drop(const LetterFilter& filter) override {
    if (auto read = look_at_times(*connection_, filter); !read) return tl::unexpected(read.error());
    const auto reply = connection_->run(
        fmt::format("DELETE FROM {} WHERE {}", shared_->tables.dead_letters, mine_of(filter)),
        "removing dead letters", row_patience(shared_->options));
    if (!reply) return tl::unexpected(reply.error());
    return reply->rows_changed();
  }

 private:
  std::string mine_of(const LetterFilter& filter) const {
    return mine(*shared_) + condition_of(filter);
  }
  /// Letters that stay are not looked at twice. In words by which the server uses the index: it
  /// takes `(topic, …) > (…)` for nearly nothing where all are of one topic, and sorts all of it.
  static std::string behind_of(const KeptLetter& last) {
    const auto& tp = last.letter.tp;
    return fmt::format(
        " AND (topic, \"partition\", \"offset\") >= ({topic}, {partition}, {offset}) AND (topic <> "
        "{topic} OR \"partition\" <> {partition} OR \"offset\" <> {offset} OR ctid > {place}::tid)",
        fmt::arg("topic", quote_literal(tp.topic)), fmt::arg("partition", tp.partition),
        fmt::arg("offset", last.letter.offset), fmt::arg("place", quote_literal(last.place)));
  }

  std::unique_ptr<Connection> connection_;
  std::unique_ptr<Shared> shared_;
  std::optional<Error> elsewhere_;  ///< the pipeline has written into another table
};

}  // namespace

Result<std::unique_ptr<DeadLetterBox>> open_dead_letters(const Options& options,
                                                         const Owner& owner) {
  auto opened = Connection::open(options, "semel dead-letters", std::make_shared<Interrupter>());
  if (!opened) return tl::unexpected(opened.error());
  // Letters can be looked at wherever the rows went; what they become goes into the same table.
  auto looking = options;
  looking.accept_changed_table = true;
  auto place = locate_ledger(**opened, looking, owner);
  if (!place) return tl::unexpected(place.error());
  auto elsewhere = std::move(place->other_target);
  if (elsewhere) {
    elsewhere->message += fmt::format(
        ". Letters of a replay that went --into TABLE go there, too, with --set {}=TABLE",
        options.names("sink.postgres.table"));
  }
  const auto state = inspect_ledger(**opened, options, place->tables);
  if (!state) return tl::unexpected(state.error());
  if (!state->missing.empty()) {
    return fail(ErrorKind::fatal, Cause::sink,
                fmt::format("there is no ledger in schema {} {}: was the pipeline ever started?",
                            place->tables.schema, (*opened)->where()));
  }
  auto shared = rehearsing(**opened, options, place->tables);
  shared->owner.pipeline = owner.pipeline;
  shared->owner.output = owner.output;
  shared->name.full = "semel dead-letters";
  return std::make_unique<PostgresLetters>(*std::move(opened), std::move(shared),
                                           std::move(elsewhere));
}

}  // namespace semel::postgres
