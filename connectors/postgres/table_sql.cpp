// `semel sql --sample`: what would make the tables that records need. Changes nothing.
#include <optional>

#include "postgres/postgres.hpp"
#include "postgres/session/rehearsal.hpp"
#include "postgres/session/tables.hpp"
#include "postgres/table/maker.hpp"

namespace semel::postgres {

namespace {

class Looking {
 public:
  Looking(Connection& connection, const Options& options)
      : connection_(connection), shared_(rehearsing(connection, options, {})), tables_(options) {}

  Result<std::string> run(const RecordFeed& feed) {
    if (auto known = tables_.describe_known(shared_->options.topics, describing()); !known) {
      return tl::unexpected(known.error());
    }
    std::optional<Error> failed;
    auto fed = feed([&](const TopicPartition& tp, std::span<const Record> records) {
      for (const auto& record : records) {
        if (failed) return;
        if (auto looked = look_at(tp, record); !looked) failed = looked.error();
      }
    });
    if (!fed) return tl::unexpected(fed.error());
    if (failed) return tl::unexpected(*failed);
    std::string all;
    for (const auto& table : tables_.to_make()) {
      auto statements = making_statements(connection_, table.options, table.shape);
      if (!statements) return statements;
      all += *statements;
    }
    return all;
  }

 private:
  Tables::Describe describing() {
    return
        [this](const Tables::Wanted& wanted) { return open_table(connection_, *shared_, wanted); };
  }

  /// What is bad of a record is not looked at here.
  Result<void> look_at(const TopicPartition& tp, const Record& record) {
    auto fate = tables_.choose(tp, record, describing());
    if (!fate) return tl::unexpected(fate.error());
    rows_.clear();
    if (*fate == Fate::row) fate = tables_.encode(tp, record, &rows_);
    if (*fate == Fate::unavailable) return tl::unexpected(tables_.unavailable());
    return {};
  }

  Connection& connection_;
  std::unique_ptr<Shared> shared_;
  Tables tables_;
  std::string rows_;
};

}  // namespace

Result<std::string> table_sql(const Options& options, const RecordFeed& feed) {
  if (!options.makes()) return std::string();
  auto opened = Connection::open(options, "semel sql", std::make_shared<Interrupter>());
  if (!opened) return tl::unexpected(opened.error());
  return Looking(**opened, options).run(feed);
}

}  // namespace semel::postgres
