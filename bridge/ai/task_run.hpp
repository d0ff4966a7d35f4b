#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <string>

#include "bridge/ai/completion.hpp"
#include "bridge/ai/settings.hpp"
#include "bridge/publisher/job.hpp"

namespace nexus::ai {

/// What this process has learnt of the providers, for all its threads.
class Memory {
 public:
  Dialect dialect(const Provider &provider);
  void learn(const Provider &provider, const Dialect &dialect);

  /// How long a provider wants to be left alone still; zero: not at all.
  std::chrono::milliseconds blocked_for(const Provider &provider);
  void block(const Provider &provider, double seconds);

 private:
  struct Known {
    Dialect dialect;
    publisher::Clock::time_point blocked_until{};
  };
  static std::string key_of(const Provider &provider) { return provider.base_url + ' ' + provider.model; }
  std::mutex mutex_;
  std::map<std::string, Known> known_;
};

struct Tools {
  const Settings &settings;
  const publisher::HttpClient &http;
  Memory &memory;
  std::atomic<bool> &giving_back;  ///< what is under way is to be given back
};

/// One attempt at one task: started in the database, asked of the provider, and ended in the database, where tokens and
/// result are written in one transaction under the lease's token: twice is not possible.
class TaskRun {
 public:
  TaskRun(publisher::Database &database, const Tools &tools, publisher::Job &job)
      : database_(database), tools_(tools), job_(job) {}

  /// Throws ConnectionLost only before the provider was asked.
  void run();

 private:
  Outcome ask(const Json &task, const Provider &provider);
  bool is_unwanted() const { return job_.cancelled || job_.lost || tools_.giving_back; }
  std::string end(const Outcome &outcome, const Provider &provider);
  std::string end_once(const Outcome &outcome, const Provider &provider);
  std::string finish(const Outcome &outcome, const Provider &provider);
  std::string fail(const std::string &failure_class, const std::string &message, std::optional<double> retry_after);

  publisher::Database &database_;
  const Tools &tools_;
  publisher::Job &job_;
};

}  // namespace nexus::ai
