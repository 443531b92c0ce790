// Files that are being written, and that nobody sees yet.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <semel/error.hpp>
#include <semel/types.hpp>

#include "file/encode.hpp"
#include "file/entry.hpp"
#include "file/journal.hpp"

namespace semel::file {

/// One of them: made with its first bytes that do not fit into memory, or when it is finished.
class Draft {
 public:
  Draft(Journals& journals, std::string name);
  ~Draft();  ///< removes it, where it was not given away
  Draft(Draft&&) noexcept;
  Draft& operator=(Draft&&) = delete;
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  /// Append to it, and call written() now and then.
  std::string& bytes() { return bytes_; }
  /// Writes what is more than some of them.
  Result<void> written() {
    constexpr std::size_t piece = std::size_t{512} << 10;
    return bytes_.size() < piece ? Result<void>{} : write();
  }
  /// All of it is on the disk, and nothing of it is in memory or open any more. A failure is final:
  /// what the disk has then is not known.
  Result<void> finish();
  /// It is somebody else's from now on.
  Publication give();

 private:
  Result<void> make();
  Result<void> write();

  Journals& journals_;
  std::string name_;   ///< that it is going to have
  std::string draft_;  ///< that it has; empty: it is not there
  Fd fd_;
  std::string bytes_;
  std::uint64_t at_ = 0;
};

/// Those of one transaction: of each range one with its rows, and one with its dead letters. Only
/// those of one range are open, or in memory: a batch has as many ranges as a topic has partitions.
/// Not thread safe.
class Drafts {
 public:
  Drafts(Journals& journals, Form form, std::vector<FileColumn> columns)
      : journals_(journals), form_(form), columns_(std::move(columns)) {}

  /// What follows is of this range; nothing more comes of the one before.
  Result<void> range(const OffsetRange& range);
  Result<std::optional<Refusal>> row(std::span<const record::Value> values);
  Result<void> dead_letter(std::string_view line);

  bool has_range() const { return writing_.has_value() || !finished_.empty(); }
  Result<void> finish();
  std::vector<Publication> give();
  void drop();

 private:
  /// Of the range that is written now.
  struct Writing {
    std::string stem;
    std::unique_ptr<RowWriter> writer{};
    std::optional<Draft> rows{};
    std::optional<Draft> letters{};
  };

  Result<void> finish_range();

  Journals& journals_;
  Form form_;
  std::vector<FileColumn> columns_;
  std::optional<Writing> writing_;
  std::vector<Draft> finished_;
};

}  // namespace semel::file
