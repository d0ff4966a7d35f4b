#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

namespace nexus::bridge::sse {

/// Which of a user's rows one stream has had. Ids are given out before they are committed, so a lower one may come
/// after a higher one; an id may stand as "have had all up to here" only when no transaction that was running when it
/// was first seen can still bring a lower one. Positions of transactions are those of pg_current_snapshot().
class Frontier {
 public:
  explicit Frontier(std::int64_t settled) : settled_(settled) {}

  struct Step {
    std::int64_t id;
    bool send;     ///< the row itself has not been sent yet
    bool settled;  ///< its id may be remembered by the client
  };

  /// Rows (ids above settled(), ascending) of a reading under a snapshot; gives what to do, in order. `complete`: these
  /// are all that are visible, else there are more behind them. `patient`: rows that are not settled wait for a later
  /// reading; else they are sent without an id to remember.
  std::vector<Step> read(const std::vector<std::int64_t> &ids, std::uint64_t snapshot_xmin, std::uint64_t snapshot_xmax,
                         bool patient, bool complete = true);

  /// Rows that the client has had in an earlier life.
  void skip(const std::vector<std::int64_t> &ids, std::uint64_t snapshot_xmax);

  /// All up to here have been sent, and no lower one can come.
  std::int64_t settled() const { return settled_; }

  /// Rows wait to be settled: read again soon.
  bool waiting() const { return !seen_.empty(); }

 private:
  std::int64_t settled_;
  std::map<std::int64_t, std::uint64_t> seen_;  // id -> the first transaction that had not begun when it was first seen
  std::set<std::int64_t> sent_;                 // those of seen_ that have been sent
};

}  // namespace nexus::bridge::sse
