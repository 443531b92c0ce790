// `semel check --sample`: what records would become. Writes nothing.
#include <fmt/format.h>
#include <algorithm>
#include <functional>
#include <map>

#include "postgres/postgres.hpp"
#include "postgres/rows/isolate.hpp"
#include "postgres/rows/row_stream.hpp"
#include "postgres/session/rehearsal.hpp"
#include "postgres/table/defaults.hpp"
#include "postgres/table/guard.hpp"
#include "postgres/table/target.hpp"

namespace semel::postgres {

namespace {

/// What COPY's text format escapes, as a literal that escapes the same.
std::string escape_literal(std::string_view escaped) {
  std::string literal = "E'";
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    if (escaped[i] == '\'') {
      literal += "''";
    } else if (escaped[i] == '\\' && i + 1 < escaped.size()) {
      ++i;
      literal += escaped[i] == 'v' ? "\\x0b" : std::string{'\\', escaped[i]};
    } else {
      literal += escaped[i];
    }
  }
  return literal + "'";
}

/// Fields of a row of COPY's text format, still escaped.
std::vector<std::optional<std::string>> fields_of(std::string_view row) {
  std::vector<std::optional<std::string>> fields;
  if (row.ends_with('\n')) row.remove_suffix(1);
  while (true) {
    const auto end = std::min(row.find('\t'), row.size());
    const auto field = row.substr(0, end);
    fields.push_back(field == "\\N" ? std::nullopt : std::optional(std::string(field)));
    if (end == row.size()) return fields;
    row.remove_prefix(end + 1);
  }
}

class Sampling {
 public:
  Sampling(Connection& connection, const Options& options, Target target, RowEncoder for_people)
      : connection_(connection),
        shared_(rehearsing(connection, options, {})),
        target_(std::move(target)),
        for_people_(std::move(for_people)) {}

  Result<std::vector<SampledRecord>> run(const RecordFeed& feed) {
    if (auto ready = evaluate_defaults(); !ready) return tl::unexpected(ready.error());
    auto fed = feed([this](const TopicPartition& tp, std::span<const Record> records) {
      for (const auto& record : records) take(tp, record);
    });
    if (!fed) return tl::unexpected(fed.error());
    if (unavailable_) return tl::unexpected(*unavailable_);
    bool suppressing = false;
    if (auto offered = offer(suppressing); !offered) return tl::unexpected(offered.error());
    // Where rows are merged, a later record of the key may have taken the place of an earlier one.
    if (suppressing && target_.table.stage.empty()) {
      if (auto found = find_suppressed(); !found) return tl::unexpected(found.error());
    }
    show_as_stored();
    return std::move(sampled_);
  }

 private:
  Result<void> evaluate_defaults() {
    auto needed = target_.encoder.defaults_needed(DefaultKind::constant);
    const auto stable = target_.encoder.defaults_needed(DefaultKind::stable);
    needed.insert(needed.end(), stable.begin(), stable.end());
    if (needed.empty()) return {};
    for (auto* encoder : {&target_.encoder, &for_people_}) {
      const auto reply = connection_.exchange(
          begin_message(*shared_) + ";" + defaults_query(target_.table, needed, encoder->format()));
      connection_.roll_back();
      if (!reply.ok()) return tl::unexpected(to_error(reply, "evaluating column defaults"));
      encoder->set_defaults(read_defaults(reply.table(1), needed, encoder->format()));
    }
    return {};
  }

  void take(const TopicPartition& tp, const Record& record) {
    SampledRecord sampled{.tp = tp, .offset = record.offset};
    const auto began_at = bytes_.size();
    const auto encoded = target_.encoder.encode(tp, record, bytes_);
    if (encoded.status == Fate::unavailable) {
      unavailable_ = target_.encoder.unavailable();
      return;
    }
    if (encoded.status == Fate::bad) {
      sampled.fate = SampledRecord::Fate::refused;
      sampled.reason = target_.encoder.bad().reason;
    } else if (encoded.status == Fate::ignored) {
      sampled.fate = SampledRecord::Fate::ignored;
    } else {
      placed_.push_back({sampled_.size(), encoded.column_set, began_at, bytes_.size()});
      show(tp, record, sampled);
    }
    sampled_.push_back(std::move(sampled));
  }

  void show(const TopicPartition& tp, const Record& record, SampledRecord& sampled) {
    std::string row;
    const auto encoded = for_people_.encode(tp, record, row);
    const bool removal = encoded.status == Fate::removal;
    const auto names =
        removal ? for_people_.key_columns() : for_people_.columns_of(encoded.column_set);
    auto fields = fields_of(row);
    for (std::size_t i = 0; i < names.size() && i < fields.size(); ++i) {
      sampled.values.emplace_back(names[i], std::move(fields[i]));
    }
    if (removal) {
      sampled.fate = SampledRecord::Fate::removal;
      return;
    }
    for (const auto& column : target_.table.columns) {
      if (std::ranges::find(names, column.name) == names.end()) {
        sampled.defaults.push_back(column.name);
      }
    }
  }

  /// The server refuses what only it can: constraints, triggers, types of its own. `suppressing`:
  /// triggers left rows out.
  Result<void> offer(bool& suppressing) {
    return in_rehearsal([&](IsolatingWriter& writer) {
      auto found = writer.write_together(
          placed_, bytes_, [this](const PlacedRow& row, const ServerError& error) {
            auto& sampled = sampled_.at(row.record);
            sampled.fate = SampledRecord::Fate::refused;
            sampled.reason = fmt::format("{} (SQLSTATE {})", error.text(), error.sqlstate);
          });
      if (!found) found = writer.finish();
      suppressing = writer.suppressed() > 0;
      return found;
    });
  }

  /// Which rows triggers leave out: the tag of a COPY only says how many.
  Result<void> find_suppressed() {
    return in_rehearsal([&](IsolatingWriter& writer) {
      std::optional<Unhunted> found;
      for (const auto& row : placed_) {
        auto& sampled = sampled_.at(row.record);
        if (sampled.fate != SampledRecord::Fate::row) continue;
        const auto before = writer.suppressed();
        found = writer.write({&row, 1}, bytes_, [](const auto&, const auto&) {});
        if (found) break;
        if (writer.suppressed() > before) sampled.fate = SampledRecord::Fate::suppressed;
      }
      return found;
    });
  }

  /// Types with a length or a precision round, and every type has a spelling of its own. What the
  /// server cannot be asked for stays as it was sent.
  void show_as_stored() {
    std::map<std::string, std::string> types;
    for (const auto& column : target_.table.columns) types[column.name] = column.type_name;
    for (auto& sampled : sampled_) {
      if (sampled.fate != SampledRecord::Fate::row || sampled.values.empty()) continue;
      std::string query;
      for (const auto& [name, value] : sampled.values) {
        query += fmt::format("{}{}::{}::text", query.empty() ? "SELECT " : ", ",
                             value ? escape_literal(*value) : "NULL", types[name]);
      }
      const auto reply = connection_.exchange(query);
      if (!reply.ok()) return;
      const auto& row = reply.table(0);
      for (std::size_t i = 0; i < sampled.values.size(); ++i) {
        const auto column = static_cast<int>(i);
        if (!row.is_null(0, column)) sampled.values[i].second = row.text(0, column);
      }
    }
  }

  Result<void> in_rehearsal(const std::function<std::optional<Unhunted>(IsolatingWriter&)>& write) {
    Rehearsal rehearsal(connection_, *shared_);
    if (auto reply = rehearsal.begin(); !reply.ok()) {
      return tl::unexpected(to_error(reply, "beginning a transaction"));
    }
    // There is one attempt: the last resort.
    std::optional<Staging> staging;
    if (!target_.table.stage.empty()) {
      staging.emplace(target_.table, shared_->options);
      if (auto made = connection_.exchange(staging->create()); !made.ok()) {
        return tl::unexpected(to_error(made, "making a temporary table"));
      }
    }
    IsolatingWriter writer(connection_, target_.table, target_.encoder,
                           staging ? &*staging : nullptr, row_patience(shared_->options), true);
    const auto found = write(writer);
    if (!found) return {};
    Reply reply;
    reply.error = found->error;
    if (found->why == Unhunted::Why::lost) reply = connection_.receive(control_patience);
    return tl::unexpected(to_error(reply, "trying the rows of the sample"));
  }

  Connection& connection_;
  std::unique_ptr<Shared> shared_;
  Target target_;
  RowEncoder for_people_;
  std::vector<SampledRecord> sampled_;
  std::vector<PlacedRow> placed_;
  std::string bytes_;
  std::optional<Error> unavailable_;  ///< of a record that cannot be read now
};

}  // namespace

Result<std::vector<SampledRecord>> sample(const Options& options, const RecordFeed& feed) {
  auto opened = Connection::open(options, "semel check", std::make_shared<Interrupter>());
  if (!opened) return tl::unexpected(opened.error());
  auto target = describe_target(**opened, options);
  if (!target) return tl::unexpected(target.error());
  auto for_people = RowEncoder::make(target->table, options, true);
  if (!for_people) return tl::unexpected(for_people.error());
  return Sampling(**opened, options, *std::move(target), *std::move(for_people)).run(feed);
}

}  // namespace semel::postgres
