// nexus-webhook-sink: a receiver of signed webhooks as one should be, for the demo and the tests. It keeps each post as
// a line of a file, written through before it answers, knows its keys, and tells by GET what it has. Posts can be read
// and liked there; with --metrics-url it pushes how often, signed with the same secret.
#include <fcntl.h>
#include <httplib.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <ctime>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "bridge/publisher/webhook.hpp"

namespace {

using nlohmann::json;

constexpr long long kTolerance = 300;
constexpr std::size_t kLargestBody = std::size_t{4} << 20;
constexpr std::chrono::milliseconds kPushEvery{500}, kPushAgain{2000};
constexpr std::size_t kPushedAtOnce = 500;

// 2026-01-31T09:00:00.123456Z
std::string utc_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  const std::time_t seconds = micros / 1000000;
  char text[32], fraction[16];
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(fraction, sizeof fraction, ".%06lldZ", static_cast<long long>(micros % 1000000));
  return std::string(text) + fraction;
}

// How often a post was read and liked here.
struct Counters {
  long long views = 0, likes = 0;
  bool told = false;  // the receiver of counters knows these
};

class Sink {
 public:
  Sink(const std::string &path, std::string secret, bool keys) : secret_(std::move(secret)), keys_(keys) {
    std::ifstream before(path);
    for (std::string line; std::getline(before, line);) {
      const json post = json::parse(line, nullptr, false);
      if (post.is_object()) {
        counters_[post.value("id", "")];
        posts_.emplace(post.value("key", ""), post);
      }
    }
    std::ifstream counted(path + ".counters");
    for (std::string line; std::getline(counted, line);) {
      const json one = json::parse(line, nullptr, false);
      const auto known = one.is_object() ? counters_.find(one.value("id", "")) : counters_.end();
      if (known != counters_.end()) known->second = {one.value("views", 0LL), one.value("likes", 0LL), false};
    }
    counts_.open(path + ".counters", std::ios::app);
    file_ = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file_ < 0) throw std::runtime_error("the file cannot be written: " + path);
  }

  void post(const httplib::Request &request, httplib::Response &response) {
    const std::string key = request.get_header_value("Idempotency-Key");
    if (!is_signed(request) || key.empty())
      return refuse(response, 401, "the signature or the key is missing or wrong");
    const json body = json::parse(request.body, nullptr, false);
    if (!body.is_object()) return refuse(response, 400, "the body is no JSON object");
    const std::lock_guard lock(mutex_);
    const auto found = posts_.find(key);
    if (keys_ && found != posts_.end()) {
      response.status = 409;
      return response.set_content(found->second.dump(), "application/json");
    }
    const json post{{"id", "sink-" + std::to_string(posts_.size() + 1)}, {"key", key}, {"body", body}};
    const std::string line = post.dump() + "\n";
    if (write(file_, line.data(), line.size()) != static_cast<ssize_t>(line.size()) || fdatasync(file_) != 0) {
      return refuse(response, 500, "the post cannot be kept");
    }
    posts_.emplace(key, post);
    counters_[post.value("id", "")];
    response.status = 201;
    response.set_content(post.dump(), "application/json");
  }

  // ?idempotency_key=: that post; without: how many there are and how many keys they have.
  void get(const httplib::Request &request, httplib::Response &response) {
    if (!is_signed(request)) return refuse(response, 401, "the signature is missing or wrong");
    const std::lock_guard lock(mutex_);
    const std::string key = request.get_param_value("idempotency_key");
    const auto found = posts_.find(key);
    if (key.empty()) return response.set_content(json{{"posts", posts_.size()}}.dump(), "application/json");
    if (found == posts_.end()) return refuse(response, 404, "there is no post of this key");
    response.set_content(found->second.dump(), "application/json");
  }

  // What a reader does: no signature.
  void read(const httplib::Request &request, httplib::Response &response) {
    const std::lock_guard lock(mutex_);
    for (const auto &[key, post] : posts_) {
      if (post.value("id", "") != std::string(request.matches[1])) continue;
      ++count(request).views;
      return response.set_content(post.at("body").dump(), "application/json");
    }
    refuse(response, 404, "there is no such post");
  }

  void like(const httplib::Request &request, httplib::Response &response) {
    const std::lock_guard lock(mutex_);
    if (counters_.count(request.matches[1]) == 0) return refuse(response, 404, "there is no such post");
    ++count(request).likes;
    response.set_content("{}", "application/json");
  }

  // Tells the counters that have changed, until told to stop; what does not get through is told again.
  void push(const std::string &url, const std::atomic<bool> &stop) {
    const std::size_t path = url.find('/', url.find("://") + 3);
    httplib::Client client(url.substr(0, path));
    for (auto wait = kPushEvery; !stop; std::this_thread::sleep_for(wait)) {
      std::map<std::string, Counters> changed;
      {
        const std::lock_guard lock(mutex_);
        for (auto &[id, counters] : counters_) {
          if (!counters.told && changed.size() < kPushedAtOnce) changed.emplace(id, counters);
        }
      }
      if (changed.empty()) continue;
      json posts = json::array();
      const std::string now = utc_now();
      for (const auto &[id, counters] : changed) {
        posts.push_back({{"id", id}, {"captured_at", now}, {"views", counters.views}, {"likes", counters.likes}});
      }
      const std::string body = json{{"posts", posts}}.dump();
      const std::string signature = nexus::publisher::webhook_signature(secret_, std::time(nullptr), body);
      const auto answer = client.Post(url.substr(path), {{"X-Signature", signature}}, body, "application/json");
      const json taken = answer && answer->status == 200 ? json::parse(answer->body, nullptr, false) : json();
      wait = taken.is_object() ? kPushEvery : kPushAgain;
      if (!taken.is_object()) {
        std::cerr << "counters not taken: " << (answer ? answer->body : httplib::to_string(answer.error())) << '\n';
        continue;
      }
      // A post that was answered this moment may not be known as published yet.
      std::set<std::string> refused;
      for (const json &error : taken.value("errors", json::array())) {
        refused.insert(posts.at(error.at("index").get<std::size_t>()).value("id", ""));
        wait = kPushAgain;
      }
      const std::lock_guard lock(mutex_);
      for (const auto &[id, counters] : changed) {
        Counters &now_there = counters_[id];
        now_there.told =
            refused.count(id) == 0 && now_there.views == counters.views && now_there.likes == counters.likes;
      }
    }
  }

 private:
  Counters &count(const httplib::Request &request) {
    Counters &counters = counters_[request.matches[1]];
    counters.told = false;
    counts_ << json{{"id", std::string(request.matches[1])},
                    {"views", counters.views + (request.method == "GET")},
                    {"likes", counters.likes + (request.method == "POST")}}
                   .dump()
            << std::endl;
    return counters;
  }

  bool is_signed(const httplib::Request &request) const {
    return nexus::publisher::webhook_signature_fits(secret_, request.get_header_value("X-Signature"), request.body,
                                                    std::time(nullptr), kTolerance);
  }
  static void refuse(httplib::Response &response, int status, const char *message) {
    response.status = status;
    response.set_content(json{{"message", message}}.dump(), "application/json");
  }

  const std::string secret_;
  const bool keys_;
  std::mutex mutex_;
  std::multimap<std::string, json> posts_;
  std::map<std::string, Counters> counters_;
  std::ofstream counts_;
  int file_ = -1;
};

int run(int argc, char **argv) {
  std::string host = "127.0.0.1", path = "posts.jsonl", secret, metrics_url;
  int port = 0;
  bool no_keys = false;
  CLI::App app{"Receives signed webhooks on POST /posts and keeps them in a file."};
  app.add_option("--host", host);
  app.add_option("--port", port)->required()->check(CLI::Range(1, 65535));
  app.add_option("--file", path, "one post a line, in JSON");
  app.add_option("--secret", secret, "what the webhooks are signed with")->envname("NEXUS_SINK_SECRET")->required();
  app.add_option("--metrics-url", metrics_url,
                 "where to push how often each post was read and liked: .../hooks/metrics/ACCOUNT");
  app.add_flag("--no-keys", no_keys, "takes the same key again and again, as a careless receiver does");
  CLI11_PARSE(app, argc, argv);
  Sink sink(path, secret, !no_keys);
  httplib::Server server;
  server.set_payload_max_length(kLargestBody);
  server.Post("/posts", [&](const auto &request, auto &response) { sink.post(request, response); });
  server.Get("/posts", [&](const auto &request, auto &response) { sink.get(request, response); });
  server.Get(R"(/posts/([\w-]+))", [&](const auto &request, auto &response) { sink.read(request, response); });
  server.Post(R"(/posts/([\w-]+)/likes)", [&](const auto &request, auto &response) { sink.like(request, response); });
  std::atomic<bool> stop{false};
  std::thread pusher;
  if (!metrics_url.empty()) pusher = std::thread([&] { sink.push(metrics_url, stop); });
  const bool listened = server.listen(host, port);
  stop = true;
  if (pusher.joinable()) pusher.join();
  if (!listened) throw std::runtime_error("cannot listen on port " + std::to_string(port));
  return 0;
}

}  // namespace

int main(int argc, char **argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception &error) {
    std::cerr << "the sink ends: " << error.what() << '\n';
    return 1;
  }
}
