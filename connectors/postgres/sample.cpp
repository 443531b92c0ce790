// `semel check --sample`: what records would become. Writes nothing.
#include <fmt/format.h>
#include <algorithm>
#include <functional>
#include <utility>

#include "postgres/postgres.hpp"
#include "postgres/rows/isolate.hpp"
#include "postgres/rows/row_stream.hpp"
#include "postgres/session/rehearsal.hpp"
#include "postgres/session/tables.hpp"
#include "postgres/table/defaults.hpp"
#include "postgres/table/guard.hpp"

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
  Sampling(Connection& connection, const Options& options)
      : connection_(connection), shared_(rehearsing(connection, options, {})), tables_(options) {}

  Result<std::vector<SampledRecord>> run(const RecordFeed& feed) {
    if (auto known = tables_.describe_known(shared_->options.topics, describing()); !known) {
      return tl::unexpected(known.error());
    }
    auto fed = feed([this](const TopicPartition& tp, std::span<const Record> records) {
      for (const auto& record : records) {
        if (!failed_) take(tp, record);
      }
    });
    if (!fed) return tl::unexpected(fed.error());
    if (failed_) return tl::unexpected(*failed_);
    bool suppressing = false;
    if (auto offered = offer(suppressing); !offered) return tl::unexpected(offered.error());
    // Where rows are merged, a later record of the key may have taken the place of an earlier one.
    if (suppressing && !merges_) {
      if (auto found = find_suppressed(); !found) return tl::unexpected(found.error());
    }
    show_as_stored();
    return std::move(sampled_);
  }

 private:
  /// A table that records are for, and what shows its rows to people.
  struct Shown {
    OpenTable* table = nullptr;
    RowEncoder for_people;
  };

  Tables::Describe describing() {
    return
        [this](const Tables::Wanted& wanted) { return open_table(connection_, *shared_, wanted); };
  }

  Result<void> evaluate_defaults(OpenTable& table, RowEncoder& for_people) {
    auto needed = table.encoder.defaults_needed(DefaultKind::constant);
    const auto stable = table.encoder.defaults_needed(DefaultKind::stable);
    needed.insert(needed.end(), stable.begin(), stable.end());
    if (needed.empty()) return {};
    for (auto* encoder : {&table.encoder, &for_people}) {
      const auto reply = connection_.exchange(
          begin_message(*shared_) + ";" + defaults_query(table.table, needed, encoder->format()));
      connection_.roll_back();
      if (!reply.ok()) return tl::unexpected(to_error(reply, "evaluating column defaults"));
      encoder->set_defaults(read_defaults(reply.table(1), needed, encoder->format()));
    }
    return {};
  }

  /// The table's number, made ready for its first row.
  Result<std::size_t> shown(OpenTable& table) {
    for (std::size_t i = 0; i < shown_.size(); ++i) {
      if (shown_[i].table == &table) return i;
    }
    auto for_people = RowEncoder::make(table.table, table.options, true);
    if (!for_people) return tl::unexpected(for_people.error());
    if (auto ready = evaluate_defaults(table, *for_people); !ready) {
      return tl::unexpected(ready.error());
    }
    table.number = shown_.size();
    table.encoder.begin_rows();
    merges_ = merges_ || table.staging.has_value();
    shown_.push_back({&table, *std::move(for_people)});
    return table.number;
  }

  Result<Fate> encode(const TopicPartition& tp, const Record& record) {
    auto chosen = tables_.choose(tp, record, describing());
    if (!chosen || *chosen != Fate::row) return chosen;
    for (auto* table : tables_.chosen()) {
      if (auto ready = shown(*table); !ready) return tl::unexpected(ready.error());
    }
    return tables_.encode(tp, record, &bytes_);
  }

  void take(const TopicPartition& tp, const Record& record) {
    const auto fate = encode(tp, record);
    if (!fate || *fate == Fate::unavailable) {
      failed_ = fate ? tables_.unavailable() : fate.error();
      return;
    }
    SampledRecord sampled{.tp = tp, .offset = record.offset};
    if (*fate == Fate::row && !tables_.rows().empty()) {
      show(tp, record);
      return;
    }
    if (*fate == Fate::row) {
      sampled.fate = SampledRecord::Fate::unmade;
      sampled_.push_back(std::move(sampled));
      return;
    }
    sampled.fate = *fate == Fate::bad ? SampledRecord::Fate::refused : SampledRecord::Fate::ignored;
    if (*fate == Fate::bad) sampled.reason = tables_.bad().reason;
    if (*fate == Fate::ignored && record.value)
      sampled.reason = "no table gets a row of it, ignored";
    sampled_.push_back(std::move(sampled));
  }

  /// The rows that were just encoded, each once more.
  void show(const TopicPartition& tp, const Record& record) {
    const auto number = sampled_.size();
    // What gets a column is told by the statement that adds it.
    const bool lacks = tables_.unknown_fields() > 0 && shared_->options.evolve == Evolve::none;
    const std::string unknown(lacks ? tables_.unknown_field() : "");
    bool first = true;
    const OpenTable* last = nullptr;
    for (const auto& row : tables_.rows()) {
      placed_.push_back({.record = number,
                         .column_set = row.column_set,
                         .begin = row.begin,
                         .end = row.end,
                         .table = row.table->number,
                         .first = std::exchange(first, false)});
      auto& encoder = shown_[row.table->number].for_people;
      std::string text;
      const auto encoded = row.table == last ? encoder.encode_next(text)
                                             : std::optional(encoder.encode(tp, record, text));
      last = row.table;
      if (encoded) show_row(tp, record, *row.table, *encoded, text);
    }
    if (number < sampled_.size()) sampled_[number].unknown_field = unknown;
  }

  void show_row(const TopicPartition& tp, const Record& record, const OpenTable& table,
                const Encoded& encoded, std::string_view text) {
    SampledRecord sampled{.tp = tp, .offset = record.offset};
    if (!tables_.single()) sampled.table = table.options.table;
    const auto& encoder = shown_[table.number].for_people;
    const bool removal = encoded.status == Fate::removal;
    const auto names = removal ? encoder.key_columns() : encoder.columns_of(encoded.column_set);
    auto fields = fields_of(text);
    for (std::size_t i = 0; i < names.size() && i < fields.size(); ++i) {
      sampled.values.emplace_back(names[i], std::move(fields[i]));
    }
    if (removal) {
      sampled.fate = SampledRecord::Fate::removal;
    } else {
      for (const auto& column : table.table.columns) {
        if (std::ranges::find(names, column.name) == names.end()) {
          sampled.defaults.push_back(column.name);
        }
      }
    }
    sampled_.push_back(std::move(sampled));
    table_of_.resize(sampled_.size());
    table_of_.back() = &table;
  }

  /// Of a record, all rows.
  void refuse(std::size_t number, const std::string& reason) {
    const auto& first = sampled_.at(number);
    const auto tp = first.tp;
    const auto offset = first.offset;
    for (auto i = number; i < sampled_.size(); ++i) {
      auto& sampled = sampled_[i];
      if (!(sampled.tp == tp) || sampled.offset != offset) break;
      sampled.fate = SampledRecord::Fate::refused;
      sampled.reason = reason;
    }
  }

  /// The server refuses what only it can: constraints, triggers, types of its own. `suppressing`:
  /// triggers left rows out.
  Result<void> offer(bool& suppressing) {
    return in_rehearsal([&](IsolatingWriter& writer) {
      auto found = writer.write_together(
          placed_, bytes_, [this](const PlacedRow& row, const ServerError& error) {
            refuse(row.record, fmt::format("{} (SQLSTATE {})", error.text(), error.sqlstate));
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
      std::size_t at = 0;
      for (auto row : placed_) {
        // The rows of a record stand one behind another; here each is by itself.
        at = row.first ? row.record : at + 1;
        row.first = true;
        auto& sampled = sampled_.at(at);
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
    for (std::size_t i = 0; i < sampled_.size(); ++i) {
      auto& sampled = sampled_[i];
      if (sampled.fate != SampledRecord::Fate::row || sampled.values.empty()) continue;
      std::string query;
      for (const auto& [name, value] : sampled.values) {
        const auto* column = table_of_[i]->table.column(name);
        query += fmt::format("{}{}::{}::text", query.empty() ? "SELECT " : ", ",
                             value ? escape_literal(*value) : "NULL", column->type_name);
      }
      const auto reply = connection_.exchange(query);
      if (!reply.ok()) return;
      const auto& row = reply.table(0);
      for (std::size_t k = 0; k < sampled.values.size(); ++k) {
        const auto column = static_cast<int>(k);
        if (!row.is_null(0, column)) sampled.values[k].second = row.text(0, column);
      }
    }
  }

  Result<void> in_rehearsal(const std::function<std::optional<Unhunted>(IsolatingWriter&)>& write) {
    Rehearsal rehearsal(connection_, *shared_);
    if (auto reply = rehearsal.begin(); !reply.ok()) {
      return tl::unexpected(to_error(reply, "beginning a transaction"));
    }
    // There is one attempt: the last resort.
    IsolatingWriter writer(connection_, row_patience(shared_->options), true);
    for (const auto& [table, for_people] : shown_) {
      const auto* staging = table->staging ? &*table->staging : nullptr;
      writer.add({&table->table, &table->encoder, staging, table->rule});
      if (staging == nullptr) continue;
      if (auto made = connection_.exchange(staging->create()); !made.ok()) {
        return tl::unexpected(to_error(made, "making a temporary table"));
      }
    }
    const auto found = write(writer);
    if (!found) return {};
    Reply reply;
    reply.error = found->error;
    if (found->why == Unhunted::Why::lost) reply = connection_.receive(control_patience);
    return tl::unexpected(to_error(reply, "trying the rows of the sample"));
  }

  Connection& connection_;
  std::unique_ptr<Shared> shared_;
  Tables tables_;
  std::vector<Shown> shown_;  ///< by OpenTable::number
  bool merges_ = false;
  std::vector<SampledRecord> sampled_;
  std::vector<const OpenTable*> table_of_;  ///< of sampled_
  std::vector<PlacedRow> placed_;
  std::string bytes_;
  std::optional<Error> failed_;
};

}  // namespace

Result<std::vector<SampledRecord>> sample(const Options& options, const RecordFeed& feed) {
  auto opened = Connection::open(options, "semel check", std::make_shared<Interrupter>());
  if (!opened) return tl::unexpected(opened.error());
  return Sampling(**opened, options).run(feed);
}

}  // namespace semel::postgres
