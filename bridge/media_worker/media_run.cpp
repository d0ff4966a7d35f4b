#include "bridge/media_worker/media_run.hpp"

#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <thread>

#include "bridge/pg/backoff.hpp"

namespace nexus::media_worker {
namespace {

using bridge::pg::Backoff;
using media::StoreError;
using nlohmann::json;
using publisher::Clock;
using publisher::ConnectionLost;
using publisher::SqlError;
using std::chrono::milliseconds;
using Kind = ProbeRun::Kind;

constexpr milliseconds kLongestBackoff{1000};
constexpr std::chrono::seconds kPatience{30};  // with a database that is away, for what is measured already
constexpr std::chrono::hours kLeftBehind{24};  // as long as an upload may lie still
constexpr std::chrono::hours kBetweenSweeps{1};
constexpr std::size_t kSweepPage = 500;

std::string thumbnail_key(const json &file) {
  return file.at("storage_key").get<std::string>() + "-thumbnail.jpg";
}

// The facts as nexus.finish_media takes them.
json facts_for_database(const probe::Facts &facts, const std::string &key) {
  json object = probe::to_json(facts);
  object.erase("thumbnail");
  if (facts.thumbnail) {
    object["thumbnail_key"] = key;
    object["thumbnail_width"] = facts.thumbnail->width;
    object["thumbnail_height"] = facts.thumbnail->height;
  }
  return object;
}

std::string text_of(const json &object, const char *name) {
  const json value = object.value(name, json());
  return value.is_string() ? value.get<std::string>() : std::string();
}

}  // namespace

void MediaRun::run() {
  if (job_.ref_id == 0) {
    remove_garbage();
  } else {
    measure();
  }
}

void MediaRun::measure() {
  json file;
  try {
    file = json::parse(database_.run("SELECT nexus.begin_media($1, $2)", job_.key()).at(0).at(0).value());
  } catch (const SqlError &error) {
    if (error.sqlstate == "NX002") {
      publisher::complete_job(database_, job_);
      return;
    }
    if (error.sqlstate != "NX020") throw;
    spdlog::warn("job {}: {}", job_.id, error.what());
    return;
  }
  const ProbeRun run = probe(file);
  const std::string state = end(run, file);
  const auto *refusal = std::get_if<probe::Refusal>(&run.verdict);
  const auto *facts = std::get_if<probe::Facts>(&run.verdict);
  const bool has_verdict = run.kind == Kind::kVerdict;
  spdlog::info("file {}: {}, {} in {} ms, {} KiB{}{}", job_.ref_id, state,
               !has_verdict       ? "not measured"
               : facts != nullptr ? facts->mime_type
                                  : refusal->code,
               run.took.count(), run.max_rss >> 10, has_verdict && facts != nullptr ? "" : ": ",
               !has_verdict         ? run.message
               : refusal != nullptr ? refusal->reason
                                    : "");
}

ProbeRun MediaRun::probe(const json &file) {
  ProbeRun failed;
  try {
    const media::LocalCopy copy = tools_.store.local_copy(file.at("storage_key").get<std::string>());
    struct stat status {};
    const auto size = file.at("size").get<std::int64_t>();
    if (fstat(copy.fd(), &status) != 0 || status.st_size != size) {
      failed.message = "the store has " + std::to_string(status.st_size) + " bytes of " + std::to_string(size);
      return failed;
    }
    ProbeRun run = run_probe(tools_.settings.probe, {text_of(file, "mime_type"), text_of(file, "file_name")}, copy.fd(),
                             size, [this] { return is_unwanted(); });
    if (run.kind == Kind::kVerdict && !run.thumbnail.empty()) tools_.store.put(thumbnail_key(file), run.thumbnail);
    return run;
  } catch (const StoreError &error) {
    failed.message = std::string("the store: ") + error.what();
  }
  return failed;
}

std::string MediaRun::end(const ProbeRun &run, const json &file) {
  Backoff backoff(kLongestBackoff);
  const auto until = Clock::now() + kPatience;
  for (;;) {
    try {
      database_.open();
      return end_once(run, file);
    } catch (const ConnectionLost &error) {
      if (Clock::now() > until && !job_.is_ours()) return "lost, the database does not come back";
      std::this_thread::sleep_for(backoff.next());
    } catch (const SqlError &error) {
      if (error.sqlstate != "NX020") throw;
      // Written before the connection broke, or another worker's by now: the token says that it must not be done again.
      return std::string("not ours any more, ") + error.what();
    }
  }
}

std::string MediaRun::end_once(const ProbeRun &run, const json &file) {
  auto values = job_.key();
  if (run.kind == Kind::kStopped) {
    if (job_.lost) return "not ours any more";
    if (job_.cancelled) return fail("cancelled while it was measured");
    publisher::snooze_job(database_, job_, 0);
    return "given back";
  }
  if (run.kind == Kind::kFailed) return fail(run.message);
  if (const auto *refusal = std::get_if<probe::Refusal>(&run.verdict)) {
    values.emplace_back(refusal->code);
    values.emplace_back(refusal->reason);
    return database_.run("SELECT nexus.refuse_media($1, $2, $3, $4)", values).at(0).at(0).value_or("");
  }
  values.emplace_back(facts_for_database(std::get<probe::Facts>(run.verdict), thumbnail_key(file)).dump());
  const auto rows = database_.run("SELECT nexus.finish_media($1, $2, $3) ->> 'state'", values);
  return rows.at(0).at(0).value_or("");
}

std::string MediaRun::fail(const std::string &message) {
  return publisher::fail_job(database_, job_, "transient", message);
}

void MediaRun::remove_garbage() {
  try {
    std::size_t removed = 0;
    while (!is_unwanted()) {
      std::vector<std::string> keys;
      for (const publisher::Row &row : database_.run("SELECT * FROM nexus.media_to_remove(100)"))
        keys.push_back(row.at(0).value());
      if (keys.empty()) break;
      for (const std::string &key : keys) tools_.store.remove(key);
      database_.run("SELECT nexus.media_removed($1)", {publisher::array_of(keys)});
      removed += keys.size();
    }
    if (is_unwanted()) {
      if (!job_.lost) publisher::snooze_job(database_, job_, 0);
      return;
    }
    if (removed > 0) spdlog::info("{} objects removed that nobody refers to", removed);
    remove_left_behind();
    publisher::complete_job(database_, job_);
  } catch (const StoreError &error) {
    spdlog::warn("objects cannot be removed: {}", error.what());
    fail(std::string("the store: ") + error.what());
  } catch (const SqlError &error) {
    if (error.sqlstate != "NX020") throw;
    spdlog::warn("job {}: {}", job_.id, error.what());
  }
}

void MediaRun::remove_left_behind() {
  const std::unique_lock lock(tools_.sweeping, std::try_to_lock);
  if (!lock || Clock::now() < tools_.next_sweep) return;
  tools_.next_sweep = Clock::now() + kBetweenSweeps;
  std::string after;
  while (!is_unwanted()) {
    const auto keys = tools_.store.stale(kLeftBehind, after, kSweepPage);
    if (keys.empty()) return;
    after = keys.back();
    std::vector<std::string> known;
    for (const publisher::Row &row :
         database_.run("SELECT * FROM nexus.media_is_known($1)", {publisher::array_of(keys)})) {
      known.push_back(row.at(0).value());
    }
    std::sort(known.begin(), known.end());
    for (const std::string &key : keys) {
      if (std::binary_search(known.begin(), known.end(), key)) continue;
      spdlog::info("object {} was left behind: removed", key);
      tools_.store.remove(key);
    }
  }
}

}  // namespace nexus::media_worker
