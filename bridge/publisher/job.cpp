#include "bridge/publisher/job.hpp"

#include <algorithm>

namespace nexus::publisher {

std::string interval_of(std::chrono::milliseconds duration) {
  return std::to_string(duration.count()) + " ms";
}

std::vector<JobPtr> claim_jobs(Database &database, const std::vector<std::string> &lanes,
                               const std::vector<std::string> &kinds, int count, std::chrono::milliseconds lease,
                               const std::string &worker) {
  const auto asked = Clock::now();
  const auto rows = database.run(
      "SELECT id, lease_token, kind, COALESCE(ref_id, 0), payload FROM nexus.claim_jobs($1, $2, $3, $4, $5)",
      {array_of(lanes), std::to_string(count), interval_of(lease), worker, array_of(kinds)});
  std::vector<JobPtr> jobs;
  for (const Row &row : rows) {
    auto job = std::make_shared<Job>();
    job->id = std::stoll(row[0].value());
    job->lease_token = std::stoll(row[1].value());
    job->kind = row[2].value();
    job->ref_id = std::stoi(row[3].value());
    job->payload = row[4].value_or("{}");
    job->deadline = asked + lease;
    jobs.push_back(std::move(job));
  }
  return jobs;
}

std::chrono::milliseconds until_next_job(Database &database, const std::vector<std::string> &lanes,
                                         std::chrono::milliseconds longest) {
  const auto rows = database.run(
      "SELECT ceil(1000 * extract(epoch FROM least(nexus.next_job_at($1) - clock_timestamp(), $2::interval)))::bigint",
      {array_of(lanes), interval_of(longest)});
  return std::chrono::milliseconds(std::max(0LL, std::stoll(rows.at(0).at(0).value())));
}

void heartbeat_jobs(Database &database, const std::vector<JobPtr> &jobs, std::chrono::milliseconds lease) {
  std::vector<std::string> ids, tokens;
  for (const JobPtr &job : jobs) {
    ids.push_back(std::to_string(job->id));
    tokens.push_back(std::to_string(job->lease_token));
  }
  const auto asked = Clock::now();
  const auto rows = database.run("SELECT id, alive, cancel_requested FROM nexus.heartbeat_jobs($1, $2, $3)",
                                 {array_of(ids), array_of(tokens), interval_of(lease)});
  for (const Row &row : rows) {
    for (const JobPtr &job : jobs) {
      if (std::to_string(job->id) != row[0].value()) continue;
      if (row[2].value_or("f") == "t") job->cancelled = true;
      if (row[1].value() == "t") {
        job->deadline = asked + lease;
      } else {
        job->lost = true;
      }
    }
  }
}

void watch_jobs(Database &database, const std::vector<JobPtr> &jobs) {
  std::vector<std::string> ids;
  ids.reserve(jobs.size());
  for (const JobPtr &job : jobs) ids.push_back(std::to_string(job->id));
  for (const Row &row :
       database.run("SELECT id FROM nexus.leases WHERE id = ANY ($1) AND cancel_requested", {array_of(ids)})) {
    for (const JobPtr &job : jobs) {
      if (std::to_string(job->id) == row[0].value()) job->cancelled = true;
    }
  }
}

void complete_job(Database &database, const Job &job) {
  database.run("SELECT nexus.complete_job($1, $2)", job.key());
}

std::string fail_job(Database &database, const Job &job, const std::string &type, const std::string &message,
                     std::optional<double> retry_after) {
  auto values = job.key();
  values.emplace_back(type);
  values.emplace_back(message);
  values.push_back(retry_after ? Value(std::to_string(*retry_after) + " s") : std::nullopt);
  return database.run("SELECT nexus.fail_job($1, $2, $3, $4, $5)", values).at(0).at(0).value_or("");
}

void snooze_job(Database &database, const Job &job, double seconds) {
  auto values = job.key();
  values.emplace_back(std::to_string(seconds) + " s");
  database.run("SELECT nexus.snooze_job($1, $2, clock_timestamp() + $3::interval)", values);
}

}  // namespace nexus::publisher
