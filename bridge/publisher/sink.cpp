// nexus-webhook-sink: a receiver of signed webhooks as one should be, for the demo and the tests. It keeps each post as
// a line of a file, written through before it answers, knows its keys, and tells by GET what it has.
#include <fcntl.h>
#include <httplib.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <ctime>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "bridge/publisher/webhook.hpp"

namespace {

using nlohmann::json;

constexpr long long kTolerance = 300;
constexpr std::size_t kLargestBody = std::size_t{4} << 20;

class Sink {
 public:
  Sink(const std::string &path, std::string secret, bool keys) : secret_(std::move(secret)), keys_(keys) {
    std::ifstream before(path);
    for (std::string line; std::getline(before, line);) {
      const json post = json::parse(line, nullptr, false);
      if (post.is_object()) posts_.emplace(post.value("key", ""), post);
    }
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

 private:
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
  int file_ = -1;
};

int run(int argc, char **argv) {
  std::string host = "127.0.0.1", path = "posts.jsonl", secret;
  int port = 0;
  bool no_keys = false;
  CLI::App app{"Receives signed webhooks on POST /posts and keeps them in a file."};
  app.add_option("--host", host);
  app.add_option("--port", port)->required()->check(CLI::Range(1, 65535));
  app.add_option("--file", path, "one post a line, in JSON");
  app.add_option("--secret", secret, "what the webhooks are signed with")->envname("NEXUS_SINK_SECRET")->required();
  app.add_flag("--no-keys", no_keys, "takes the same key again and again, as a careless receiver does");
  CLI11_PARSE(app, argc, argv);
  Sink sink(path, secret, !no_keys);
  httplib::Server server;
  server.set_payload_max_length(kLargestBody);
  server.Post("/posts", [&](const auto &request, auto &response) { sink.post(request, response); });
  server.Get("/posts", [&](const auto &request, auto &response) { sink.get(request, response); });
  if (!server.listen(host, port)) throw std::runtime_error("cannot listen on port " + std::to_string(port));
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
