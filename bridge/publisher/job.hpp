#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bridge/publisher/database.hpp"

namespace nexus::publisher {

using Clock = std::chrono::steady_clock;

/// A leased job. The deadline is when the lease ends by our own clock, counted from before it was asked for, so that it
/// never lies behind the database's.
struct Job {
  std::int64_t id = 0, lease_token = 0;
  std::string kind;
  int ref_id = 0;
  std::string payload;  ///< JSON
  std::atomic<Clock::time_point> deadline{Clock::time_point{}};
  std::atomic<bool> lost{false};       ///< a heartbeat said so
  std::atomic<bool> cancelled{false};  ///< nobody wants it any more

  bool is_ours() const { return !lost && Clock::now() < deadline.load(); }
  std::vector<Value> key() const { return {std::to_string(id), std::to_string(lease_token)}; }
};
using JobPtr = std::shared_ptr<Job>;

std::string interval_of(std::chrono::milliseconds duration);

/// Leases up to `count` due jobs of some kinds.
std::vector<JobPtr> claim_jobs(Database &database, const std::vector<std::string> &lanes,
                               const std::vector<std::string> &kinds, int count, std::chrono::milliseconds lease,
                               const std::string &worker);

/// How long until the next job is due, at most `longest`.
std::chrono::milliseconds until_next_job(Database &database, const std::vector<std::string> &lanes,
                                         std::chrono::milliseconds longest);

/// Renews the leases, and marks those that are lost.
void heartbeat_jobs(Database &database, const std::vector<JobPtr> &jobs, std::chrono::milliseconds lease);

/// Marks the jobs that have been cancelled, without renewing a lease: a look that costs little.
void watch_jobs(Database &database, const std::vector<JobPtr> &jobs);

void complete_job(Database &database, const Job &job);

/// Returns the job's new state.
std::string fail_job(Database &database, const Job &job, const std::string &type, const std::string &message,
                     std::optional<double> retry_after = std::nullopt);

/// Gives a job back; the attempt does not count.
void snooze_job(Database &database, const Job &job, double seconds);

}  // namespace nexus::publisher
