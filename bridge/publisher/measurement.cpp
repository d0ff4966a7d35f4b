// Counters of published posts: one request to the platform for each job.
#include <spdlog/spdlog.h>

#include "bridge/publisher/publication.hpp"

namespace nexus::publisher {
namespace {

// One id that the platform does not understand spoils the request for all: the others are asked for alone.
Counts one_by_one(const Adapter &adapter, Account &account, const std::vector<std::string> &ids,
                  const Services &services) {
  Counts counts;
  for (const std::string &id : ids) {
    Counts one = adapter.counters(account, {id}, services);
    if (one.failure && one.failure->type != "invalid") return one;
    if (!one.failure) counts.posts.merge(one.posts);
  }
  return counts;
}

}  // namespace

void Publication::measure() {
  const auto rows = database_.run("SELECT nexus.metrics_pull_task($1, $2)", job_.key());
  auto key = job_.key();
  if (rows.empty() || !rows[0][0]) {
    key.emplace_back("[]");
    database_.run("SELECT nexus.finish_metrics_pull($1, $2, $3)", key);
    return;
  }
  const Json task = Json::parse(*rows[0][0]);
  Counts counts;
  std::string why;
  auto account = account_of(task.at("account"), why);
  std::vector<std::string> ids;
  for (const Json &post : task.at("posts")) ids.push_back(text_of(post, "remote_id"));
  const Adapter *adapter = account ? adapter_of(*account) : nullptr;
  if (!account) {
    counts.failure = Failure{"transient", "sealed", why, 0, std::nullopt};
  } else if (adapter == nullptr) {
    counts.failure = Failure{"invalid", "no_adapter", "no adapter for " + account->platform, 0, std::nullopt};
  } else {
    counts = adapter->counters(*account, ids, services());
    if (counts.failure && counts.failure->type == "invalid" && ids.size() > 1) {
      counts = one_by_one(*adapter, *account, ids, services());
    }
  }
  if (counts.failure) {
    key.emplace_back(counts.failure->type);
    key.emplace_back(counts.failure->message);
    const auto &wait = counts.failure->retry_after;
    key.push_back(wait ? Value(std::to_string(*wait) + " s") : std::nullopt);
    const auto state = database_.run("SELECT nexus.fail_metrics_pull($1, $2, $3, $4, $5)", key);
    spdlog::warn("account {}: counters not read, job {}: {}", job_.ref_id, state.at(0).at(0).value_or(""),
                 counts.failure->message);
    return;
  }
  Json measured = Json::array();
  for (const Json &post : task.at("posts")) {
    Json one{{"platform_post_id", post.at("platform_post_id")}};
    const auto found = counts.posts.find(text_of(post, "remote_id"));
    if (found == counts.posts.end()) {
      one["error"] = "the platform said nothing of it";
    } else if (found->second.gone) {
      one["gone"] = true;
    } else {
      one["counters"] = found->second.counters.value_or(Json());
    }
    measured.push_back(std::move(one));
  }
  key.emplace_back(measured.dump());
  const auto result = database_.run("SELECT nexus.finish_metrics_pull($1, $2, $3)", key);
  spdlog::info("account {}: counters of {} posts: {}", job_.ref_id, ids.size(), result.at(0).at(0).value_or(""));
}

}  // namespace nexus::publisher
