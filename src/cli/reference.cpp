// semel reference: what pages and completions are made from and held to. Hidden.
#include <fmt/format.h>
#include <cstdio>

#include "app/pipeline_config.hpp"
#include "cli/command.hpp"
#include "metrics/declarations.hpp"

namespace semel::cli {

namespace {

void print_options(const CLI::App& command, const std::string& name) {
  for (const auto* option : command.get_options()) {
    if (option->get_group().empty()) continue;
    for (const auto& word : option->get_lnames()) fmt::print("{} --{}\n", name, word);
  }
  for (const auto* part : command.get_subcommands([](const CLI::App*) { return true; })) {
    if (!part->get_group().empty()) print_options(*part, name);
  }
}

/// A line per command and per option: "run", "run --once" ... Hidden ones are left out.
void print_commands() {
  auto code = ExitCode::ok;
  const auto app = make_app(code);
  for (const auto* command : app->get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_group().empty()) continue;
    fmt::print("{}\n", command->get_name());
    print_options(*command, command->get_name());
  }
}

}  // namespace

void add_reference(CLI::App& app, ExitCode&) {
  auto* command = app.add_subcommand("reference", "print what the documentation is held to");
  command->group("");
  auto what = std::make_shared<std::string>();
  command->add_option("WHAT", *what, "configuration, commands or metrics")
      ->required()
      ->check(one_of({"configuration", "commands", "metrics"}));
  command->callback([what] {
    if (*what == "configuration") {
      fmt::print("{}", app::reference_page());
    } else if (*what == "metrics") {
      fmt::print("{}", metrics::reference_page());
    } else {
      print_commands();
    }
  });
}

}  // namespace semel::cli
