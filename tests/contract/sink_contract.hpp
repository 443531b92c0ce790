// The contract of include/semel/sink.hpp and ledger.hpp as tests, written once for every sink. To
// test one of your own: implement Subject, and call sink_contract() inside a TEST_CASE.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <semel/ledger.hpp>
#include <semel/sink.hpp>

namespace semel::contract {

/// A store, fresh for each section, and how to look into it.
class Subject {
 public:
  virtual ~Subject() = default;

  /// A sink onto the store, as another process would open it.
  virtual std::unique_ptr<Sink> open(const Owner& owner) = 0;
  virtual std::unique_ptr<Ledger> ledger(const std::string& pipeline,
                                         const std::string& output) = 0;

  /// A record's value that can be stored, and one that never can.
  virtual std::string good_value(Offset offset) = 0;
  virtual std::string bad_value() = 0;

  /// The offsets of the records that are stored as rows, in ascending order, and as dead letters.
  virtual std::vector<Offset> stored() = 0;
  virtual std::vector<Offset> dead() = 0;

  /// The ledger loses its positions: somebody deletes them, or restores a part of a backup.
  virtual void lose_positions() = 0;
};

/// Each rule is a section; the sink must be transactional.
void sink_contract(const std::function<std::unique_ptr<Subject>()>& make);

/// The same for several ranges of one batch in one transaction.
void batch_contract(const std::function<std::unique_ptr<Subject>()>& make);

}  // namespace semel::contract
