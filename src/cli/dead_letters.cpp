// semel dead-letters: records that were set aside, looked at, brought back or dropped.
#include <fmt/format.h>
#include <algorithm>

#include "base/clean_text.hpp"
#include "cli/command.hpp"
#include "cli/text.hpp"

namespace semel::cli {

namespace {

struct LettersOptions : FileOptions {
  std::string action;
  LetterFilter filter;
  std::size_t limit = 20;
  bool dry_run = false;
  bool all = false;
  bool overwrite = false;
};

bool filters(const LetterFilter& filter) {
  return filter.topic || filter.partition || filter.from || filter.until || filter.column ||
         filter.code || filter.reason || filter.since || filter.before;
}

/// The content of a record, in one line of a terminal.
std::string shown_bytes(const std::optional<std::string>& bytes) {
  constexpr std::size_t shown_max = 200;
  if (!bytes) return "none";
  auto text = plain(sanitise(*bytes, shown_max));
  if (bytes->size() > shown_max) text += fmt::format("… ({} bytes)", grouped(bytes->size()));
  return text;
}

ExitCode list(DeadLetterBox& box, const LettersOptions& options) {
  const auto groups = box.groups(options.filter);
  if (!groups) return report(groups.error());
  if (groups->empty()) {
    fmt::print("no dead letters\n");
    return ExitCode::ok;
  }
  std::vector<std::vector<std::string>> rows{
      {"topic", "letters", "code", "column", "first", "last", "reason of the newest"}};
  std::uint64_t total = 0;
  for (const auto& group : *groups) {
    total += group.count;
    rows.push_back({group.topic, grouped(group.count), group.code,
                    group.column.empty() ? "–" : plain(group.column), group.first, group.last,
                    plain(group.reason)});
  }
  fmt::print(
      "{}\n{} in all. `semel dead-letters {} redrive{} --dry-run` says what became of them today\n",
      table(rows, true), counted(total, "dead letter"), options.file,
      options.of_replay.empty() ? "" : " --replay " + options.of_replay);
  return ExitCode::ok;
}

void print_letter(const DeadLetter& letter) {
  fmt::print("{} offset {}: {}\n", to_string(letter.tp), letter.offset, plain(letter.reason));
}

ExitCode show(DeadLetterBox& box, const LettersOptions& options) {
  const auto letters = box.letters(options.filter, options.limit + 1);
  if (!letters) return report(letters.error());
  if (letters->empty()) fmt::print("no dead letters\n");
  for (std::size_t i = 0; i < std::min(letters->size(), options.limit); ++i) {
    const auto& letter = (*letters)[i];
    print_letter(letter);
    fmt::print("  set aside {}, code {}{}\n  key     {}\n  value   {}\n", letter.failed_at,
               letter.code, letter.column.empty() ? "" : ", column " + plain(letter.column),
               shown_bytes(letter.key), shown_bytes(letter.value));
    if (!letter.headers.empty()) fmt::print("  headers {}\n", shown_bytes(letter.headers));
  }
  if (letters->size() > options.limit) {
    fmt::print("and more: --limit {} shows {} at most\n", options.limit * 5, options.limit * 5);
  }
  return ExitCode::ok;
}

ExitCode redrive(DeadLetterBox& box, const LettersOptions& options) {
  const auto done =
      box.redrive(options.filter, {.preview = options.dry_run, .overwrite = options.overwrite});
  if (!done) return report(done.error());
  fmt::print(
      "{}{} became rows{}, {} stay{}\n", options.dry_run ? "dry run, nothing is changed: " : "",
      counted(done->rows, "dead letter"),
      done->suppressed == 0 ? ""
                            : fmt::format(" ({} of them not stored, by a trigger or by their key)",
                                          grouped(done->suppressed)),
      grouped(done->bad),
      done->ignored == 0 ? "" : fmt::format(", {} are no rows and stay", grouped(done->ignored)));
  if (done->unknown_fields > 0) {
    fmt::print("{} without a column left out, the first: {}\n",
               counted(done->unknown_fields, "member"), plain(done->unknown_field));
  }
  for (const auto& letter : done->still_bad) {
    fmt::print("  ✗ ");
    print_letter(letter);
  }
  if (done->bad > done->still_bad.size()) {
    fmt::print("  and {} more\n", grouped(done->bad - done->still_bad.size()));
  }
  return done->bad == 0 ? ExitCode::ok : ExitCode::bad_record;
}

ExitCode drop(DeadLetterBox& box, const LettersOptions& options) {
  if (!filters(options.filter) && !options.all) {
    return report(
        usage("drop needs to be told which: --reason, --column, --topic, … or --all").value());
  }
  if (options.dry_run) {
    const auto groups = box.groups(options.filter);
    if (!groups) return report(groups.error());
    std::uint64_t total = 0;
    for (const auto& group : *groups) total += group.count;
    fmt::print("dry run, nothing is changed: {} would be dropped\n", counted(total, "dead letter"));
    return ExitCode::ok;
  }
  const auto gone = box.drop(options.filter);
  if (!gone) return report(gone.error());
  fmt::print("{} dropped\n", counted(*gone, "dead letter"));
  return ExitCode::ok;
}

ExitCode dead_letters(const LettersOptions& options) {
  const auto config = load_configuration(options);
  if (!config) return report(config.error());
  const auto outputs = outputs_of(*config, options);
  if (!outputs) return report(outputs.error());
  return of_each(*outputs, [&](const auto& output) {
    const auto box = output.open_dead_letters();
    if (!box) return report(box.error());
    if (options.action == "list") return list(**box, options);
    if (options.action == "show") return show(**box, options);
    return options.action == "drop" ? drop(**box, options) : redrive(**box, options);
  });
}

}  // namespace

void add_dead_letters(CLI::App& app, ExitCode& code) {
  auto* command =
      app.add_subcommand("dead-letters", "list, show, redrive or drop records that were set aside");
  auto options = std::make_shared<LettersOptions>();
  add_file_options(*command, *options);
  add_replay_option(*command, *options);
  command->add_option("ACTION", options->action, "list, show, redrive or drop")
      ->required()
      ->type_name("")
      ->check(one_of({"list", "show", "redrive", "drop"}));
  auto& filter = options->filter;
  command->add_option("--topic", filter.topic, "only of this topic")->type_name("TOPIC");
  command->add_option("--partition", filter.partition, "only of this partition")
      ->type_name("N")
      ->check(at_least(0));
  command->add_option("--from", filter.from, "only from this offset on")
      ->type_name("OFFSET")
      ->check(at_least(0));
  command->add_option("--until", filter.until, "only below this offset")
      ->type_name("OFFSET")
      ->check(at_least(0));
  command
      ->add_option("--column", filter.column,
                   "only those that this column refused; '': that name none")
      ->type_name("NAME");
  command->add_option("--code", filter.code, "only with this code of the sink; PostgreSQL: the SQLSTATE")->type_name("CODE");
  command->add_option("--reason", filter.reason, "only where the reason has this text in it")
      ->type_name("TEXT");
  command->add_option("--since", filter.since, "only set aside at or after this time")
      ->type_name("TIME");
  command->add_option("--before", filter.before, "only set aside before this time")
      ->type_name("TIME");
  command->add_option("--limit", options->limit, "for show: how many at most; default: 20")
      ->type_name("N")
      ->check(at_least(1));
  command->add_flag("--dry-run", options->dry_run,
                    "for redrive and drop: only say what would be done");
  command->add_flag("--all", options->all, "for drop: without any of the above");
  command->add_flag(
      "--overwrite", options->overwrite,
      "for redrive into a table with write = \"upsert\" and no version: also over newer rows");
  command->callback([options, &code] { code = dead_letters(*options); });
}

}  // namespace semel::cli
