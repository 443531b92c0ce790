// This connector as the program sees it.
#include <fmt/format.h>

#include "postgres/letters/letters.hpp"
#include "postgres/postgres.hpp"
#include "postgres/settings.hpp"
#include "postgres/table/routing.hpp"

namespace semel::postgres {

namespace {

using config::Part;

Options options_of(const Part& part, const SinkContext& context) {
  auto options = part.as<Options>();
  options.delivery = context.delivery;
  options.format = context.format;
  options.key_format = context.key_format;
  options.topics = context.topics;
  options.route.pattern = context.topic_pattern;
  options.log = context.log;
  options.accept_changed_table = context.accept_changed_table;
  return options;
}

}  // namespace

Connector connector() {
  return {
      .name = "postgres",
      .settings = settings(),
      .has_default_name = true,
      .target =
          [](const Part& part) {
            const auto& options = part.as<Options>();
            if (!options.tables.empty()) {
              return fmt::format("postgres, {} tables", options.tables.size());
            }
            return fmt::format("postgres table {}",
                               is_fixed(options) ? options.table : name_of_rule(options));
          },
      .policy = [](const Part& part) -> const record::Policy& { return part.as<Options>().policy; },
      .make_sink =
          [](const Part& part, const SinkContext& context) {
            return make_sink(options_of(part, context), context.owner);
          },
      .open_ledger =
          [](const Part& part, const SinkContext& context) {
            return open_ledger(options_of(part, context), context.owner.pipeline,
                               context.owner.output);
          },
      .written_again =
          [](const Part& part, const SinkContext& context) {
            return written_again(options_of(part, context));
          },
      .check =
          [](const Part& part, const SinkContext& context) {
            return check(options_of(part, context), context.owner, context.sessions);
          },
      .sample = [](const Part& part, const SinkContext& context,
                   const RecordFeed& feed) { return sample(options_of(part, context), feed); },
      .table_sql =
          [](const Part& part, const SinkContext& context, const RecordFeed& feed) {
            return table_sql(options_of(part, context), feed);
          },
      .open_dead_letters =
          [](const Part& part, const SinkContext& context) {
            return open_dead_letters(options_of(part, context), context.owner);
          },
      .ddl = [](const Part& part,
                const SinkContext& context) { return ledger_ddl(options_of(part, context)); },
  };
}

}  // namespace semel::postgres
