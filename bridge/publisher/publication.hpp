#pragma once

#include <list>
#include <map>
#include <mutex>

#include "bridge/publisher/adapter.hpp"
#include "bridge/publisher/job.hpp"
#include "bridge/publisher/seal.hpp"
#include "bridge/publisher/settings.hpp"

namespace nexus::publisher {

/// What this process knows of attempts that it could not report: the lease ended before the database came back.
/// Bounded; the oldest is forgotten.
class Memory {
 public:
  void remember(int platform_post_id, int attempt, const Sent &sent);
  std::optional<Sent> recall(int platform_post_id, int attempt) const;
  void forget(int platform_post_id, int attempt);

 private:
  using Key = std::pair<int, int>;
  mutable std::mutex mutex_;
  std::map<Key, Sent> known_;
  std::list<Key> order_;
};

/// What all threads share; nothing here changes but the memory.
struct Tools {
  /// Reads an uploaded file; nothing where it is gone. Throws std::length_error for more than so many bytes, and
  /// std::runtime_error when it cannot be read now.
  using ReadStored = std::function<std::optional<std::string>(const std::string &storage_key, std::size_t max_bytes)>;

  const Settings &settings;
  const HttpClient &http;
  const Sealer &sealer;
  const std::map<std::string, std::unique_ptr<Adapter>> &adapters;  ///< by platform
  Memory &memory;
  ReadStored read_stored{};  ///< empty: there is no store of media
};

/// Works one job to its end, on one connection. A post: verifies what an earlier worker left open, writes the attempt,
/// sends, reports. Throws ConnectionLost when the database is away; run again, with `again`, it goes on where it was.
class Publication {
 public:
  Publication(Database &database, const Tools &tools, Job &job) : database_(database), tools_(tools), job_(job) {}
  void run(bool again);

 private:
  void publish(bool again);
  void refresh_tokens();
  void measure();

  std::optional<Task> load();
  std::optional<Account> account_of(const Json &row, std::string &why) const;
  Services services();
  std::optional<Failure> renew(Account &account);
  std::optional<Failure> refresh(const Account &account, Tokens &tokens);
  std::optional<Failure> adopt(Account &account);
  const Adapter *adapter_of(const Account &account) const;

  /// True when the post may be sent now; otherwise the job has been dealt with.
  bool settle_open_attempt(Task &task, const Adapter *adapter, bool again);
  std::optional<Failure> fetch_media(Task &task) const;
  std::optional<Failure> download(Media &media, std::size_t max_bytes) const;
  std::optional<Failure> read_stored(Media &media, std::size_t max_bytes) const;
  /// The attempt's number; nothing when the job has been dealt with.
  std::optional<int> begin(const Task &task);
  void report(const Task &task, int attempt, const Sent &sent);
  void finish(const Task &task, int attempt, const char *outcome, const Sent &sent);

  Database &database_;
  const Tools &tools_;
  Job &job_;
};

}  // namespace nexus::publisher
