// A connection to the ledger and the files beside it, as a store.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "file/drafts.hpp"
#include "file/journal.hpp"
#include "file/options.hpp"
#include "formats/formats.hpp"
#include "store/store.hpp"

namespace semel::file {

/// Transactions are optimistic towards other processes, and one after the other in this one.
class Connection final : public store::Store {
 public:
  Connection(std::shared_ptr<Journals> journals, Options options, formats::FormatPtr format,
             store::Interrupt stop)
      : journals_(std::move(journals)),
        options_(std::move(options)),
        format_(std::move(format)),
        stop_(std::move(stop)) {}

  Result<void> finish_rows() override { return drafts_ ? drafts_->finish() : Result<void>{}; }
  Result<void> set_up() override { return journals_->place().set_up(); }
  Result<void> begin(store::Access access) override;
  Result<void> commit() override;
  void roll_back() noexcept override;

  Result<std::vector<std::string>> columns_of(const store::Table& table) override;
  Result<void> make(const store::Table& table) override;
  Result<void> scan(const store::Table& table, const store::Scan& which, const See& see) override;
  Result<std::uint64_t> count(const store::Table& table, const store::Row& prefix) override;
  Result<void> add(const store::Table& table, const store::Row& row) override;
  Result<void> replace(const store::Table& table, const store::Row& row) override;
  Result<void> erase(const store::Table& table, const store::Row& prefix) override;
  Result<void> newest_moves(const store::Row& prefix, const See& see) override;
  Result<bool> trim_history(const store::Row& prefix, const std::string& moment,
                            std::size_t at_most) override;
  Result<std::unique_ptr<store::Target>> target() override;

 private:
  bool is_sign_of_life() const;
  const State& state();
  Result<void> scan_history(const store::Scan& which, const See& see);
  void change(Change change);

  std::shared_ptr<Journals> journals_;
  Options options_;
  formats::FormatPtr format_;
  store::Interrupt stop_;
  std::shared_ptr<Drafts> drafts_;       ///< of the next transaction; the target has them, too
  std::unique_lock<std::mutex> writer_;  ///< while there is a transaction for writing
  StatePtr seen_;                        ///< of the transaction, as it began
  std::optional<State> now_;             ///< and with its own changes, where there are any
  std::vector<Change> changes_;
};

}  // namespace semel::file
