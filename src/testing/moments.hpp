// The moments in which a process may die, or a commit fail.
#pragma once

#include <map>
#include <optional>
#include <set>

#include <semel/testing.hpp>

namespace semel::testing {

/// Thrown where it dies: through what runs, up to whoever started the process. No function of the
/// user's is on the way, and whatever is on it is destroyed; what the process has written stays.
struct Died {};

class Moments {
 public:
  void crash_at(Place place, int pass) { wanted_ = Wanted{place, pass}; }
  /// Throws Died where it is asked for.
  void pass(Place place);
  int passes(Place place) const;

  void fail_commit(Trouble trouble, int commit) { failing_ = Failing{trouble, commit}; }
  /// An output is asked to commit: what is to become of that.
  std::optional<Trouble> commit();
  int commits() const { return commits_; }

  /// Between these, once() passes a place the first time.
  void begin_commit();
  void end_commit() { in_commit_ = false; }
  void once(Place place);

 private:
  struct Wanted {
    Place place;
    int pass;
  };
  struct Failing {
    Trouble trouble;
    int commit;
  };
  std::optional<Wanted> wanted_;
  std::optional<Failing> failing_;
  int commits_ = 0;
  std::map<Place, int> passes_;
  bool in_commit_ = false;
  std::set<Place> in_this_commit_;
};

}  // namespace semel::testing
