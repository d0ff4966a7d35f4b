#include "bridge/publisher/hook_server.hpp"

#include <httplib.h>
#include <spdlog/spdlog.h>

#include <ctime>
#include <mutex>
#include <thread>

#include "bridge/publisher/adapter.hpp"
#include "bridge/publisher/database.hpp"
#include "bridge/publisher/webhook.hpp"

namespace nexus::publisher {
namespace {

constexpr std::size_t kLargestBody = std::size_t{1} << 20;
constexpr long long kTolerance = 300;  // seconds that a signature is good for
constexpr int kSlowestClient = 10;

void answer(httplib::Response &response, int status, const Json &body) {
  response.status = status;
  response.set_content(body.dump(-1, ' ', false, Json::error_handler_t::replace), "application/json");
}

void refuse(httplib::Response &response, int status, const char *message) {
  answer(response, status, Json{{"message", message}});
}

}  // namespace

struct HookServer::Inside {
  Inside(const Settings &settings, const Sealer &keys)
      : sealer(keys), database(settings.db_uri, settings.db_role, "nexus-publisher hooks") {}

  void push(const httplib::Request &request, httplib::Response &response);
  bool is_signed(const httplib::Request &request, const std::string &account);

  const Sealer &sealer;
  Database database;
  std::mutex mutex;  // one connection: pushes are short, and rare beside requests of the bridge
  httplib::Server server;
  std::thread thread;
};

// An account that is not there, is no webhook's or is switched off is told apart from a wrong signature by nobody.
bool HookServer::Inside::is_signed(const httplib::Request &request, const std::string &account) {
  const auto rows = database.run("SELECT nexus.account_tokens($1)", {account});
  const Json row = rows.at(0).at(0) ? parse_json(*rows[0][0]) : Json();
  const std::string platform = text_of(row, "platform"), sealed = text_of(row, "access_token");
  if (platform != "webhook" || sealed.empty()) return false;
  const std::string secret =
      sealer.open(sealed, Sealer::token_context(platform, text_of(row, "account_id"), "access_token"));
  return webhook_signature_fits(secret, request.get_header_value("X-Signature"), request.body, std::time(nullptr),
                                kTolerance);
}

void HookServer::Inside::push(const httplib::Request &request, httplib::Response &response) {
  const std::string account = request.matches[1];
  const std::lock_guard lock(mutex);
  try {
    database.open();
    if (!is_signed(request, account)) return refuse(response, 401, "the signature is missing, old or wrong");
    const Json body = parse_json(request.body);
    const Json posts = body.is_object() ? body.value("posts", Json()) : Json();
    if (!posts.is_array()) return refuse(response, 400, "the body is no object with an array of posts");
    const auto rows = database.run("SELECT nexus.push_metrics($1, $2)", {account, posts.dump()});
    answer(response, 200, parse_json(rows.at(0).at(0).value_or("{}")));
  } catch (const SqlError &error) {
    const bool ours = error.sqlstate != "22023" && error.sqlstate.compare(0, 2, "22") != 0;
    if (ours) spdlog::error("counters of account {}: {}", account, error.what());
    ours ? refuse(response, 500, "the counters cannot be stored") : refuse(response, 400, error.what());
  } catch (const ConnectionLost &error) {
    spdlog::error("counters of account {}: {}", account, error.what());
    refuse(response, 503, "there is no database; push again later");
  } catch (const SealError &error) {
    spdlog::error("the secret of account {} cannot be opened: {}", account, error.what());
    refuse(response, 503, "the secret of the account cannot be opened");
  }
}

HookServer::HookServer(const Settings &settings, const Sealer &sealer)
    : inside_(std::make_unique<Inside>(settings, sealer)) {
  httplib::Server &server = inside_->server;
  server.set_payload_max_length(kLargestBody);
  server.set_read_timeout(kSlowestClient);
  server.set_write_timeout(kSlowestClient);
  server.Post(R"(/hooks/metrics/([0-9]{1,9}))",
              [inside = inside_.get()](const auto &request, auto &response) { inside->push(request, response); });
  if (!server.bind_to_port(settings.hook_host, settings.hook_port)) {
    throw std::runtime_error("cannot listen on " + settings.hook_host + ":" + std::to_string(settings.hook_port));
  }
  inside_->thread = std::thread([&server] { server.listen_after_bind(); });
  spdlog::info("counters are received on http://{}:{}/hooks/metrics/ACCOUNT", settings.hook_host, settings.hook_port);
}

HookServer::~HookServer() {
  inside_->server.stop();
  inside_->thread.join();
}

}  // namespace nexus::publisher
