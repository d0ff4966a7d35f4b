#include "bridge/media/media_service.hpp"

#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <chrono>

#include "bridge/http/answer.hpp"
#include "bridge/http/json.hpp"
#include "bridge/http/text.hpp"
#include "bridge/media/receiver.hpp"
#include "bridge/media/tus.hpp"

namespace nexus::bridge {
namespace {

namespace asio = boost::asio;
using nlohmann::json;
using Strand = asio::strand<asio::thread_pool::executor_type>;

constexpr std::string_view kFiles = "/files";
constexpr std::size_t kKeyLength = 36;
constexpr std::size_t kMaxWaiting = std::size_t{256} << 10;  // bytes of one upload that wait for the store

HttpError no_file() {
  return {404, "HTTP404", "There is no such file"};
}

HttpError bad(const std::string &message) {
  return {400, "TUS400", message};
}

HttpError no_method(const std::string &method, const char *allowed) {
  return HttpError(405, "PGRST101", "Cannot use the " + method + " method here").with_header("Allow", allowed);
}

HttpError internal() {
  return {500, "XX000", "internal error of the bridge"};
}

bool has_body(const httplib::Request &request) {
  const std::string length = request.get_header_value("Content-Length");
  return request.has_header("Transfer-Encoding") ||
         (!length.empty() && length.find_first_not_of('0') != std::string::npos);
}

// The rest of a path that begins with a word: "" for "/files" itself, nothing for other paths.
std::optional<std::string> behind(std::string_view path, std::string_view word) {
  if (path.substr(0, word.size()) != word) return std::nullopt;
  std::string_view rest = path.substr(word.size());
  if (rest.empty()) return "";
  if (rest.front() != '/') return std::nullopt;
  return std::string(rest.substr(1));
}

// A key as uuid; a text that is none is no file's.
const std::string &checked_key(const std::string &key) {
  const bool good = key.size() == kKeyLength && key.find_first_not_of("0123456789abcdef-") == std::string::npos &&
                    key[8] == '-' && key[13] == '-' && key[18] == '-' && key[23] == '-' &&
                    key.find_first_of('-') == 8 && std::count(key.begin(), key.end(), '-') == 4;
  if (!good) throw no_file();
  return key;
}

std::string with_prefix(const Settings &settings, const std::string &path) {
  const auto words = split_trimmed(settings.url_prefix, '/');
  return (words.empty() ? "" : "/" + joined(words, "/")) + path;
}

std::uint64_t size_of(const json &file) {
  return file.at("size").get<std::uint64_t>();
}

void add_expiry(const json &file, httplib::Response &response) {
  const auto expires = file.find("expires");
  if (expires != file.end() && expires->is_number_integer()) {
    response.set_header("Upload-Expires", tus::http_time(expires->get<std::int64_t>()));
  }
}

}  // namespace

struct MediaService::Receiving {
  ExchangePtr exchange;
  PolicyPtr policy;
  std::string file_key;
  std::uint64_t size = 0;
  bool created = false;  ///< by this very request
  std::shared_ptr<Receiver> receiver;
  Strand strand;
  std::size_t waiting = 0;  ///< bytes on their way to the store
  bool paused = false, left = false, ending = false;
  std::optional<HttpError> error{};
};

MediaService::MediaService(net::Loop &loop, const Handler &handler, MediaStore &media,
                           std::unique_ptr<serve::CallService> calls)
    : loop_(loop), handler_(handler), media_(media), calls_(std::move(calls)) {}

MediaService::~MediaService() = default;

bool MediaService::takes_parts(const httplib::Request &head) {
  if (head.method != "POST" && head.method != "PATCH") return false;
  return behind(Handler::path_of(handler_.policy()->settings, head), kFiles).has_value();
}

void MediaService::serve(const ExchangePtr &exchange) {
  const PolicyPtr policy = handler_.policy();
  const std::string path = Handler::path_of(policy->settings, exchange->request);
  if (!behind(path, kFiles) && !behind(path, "/media")) return calls_->serve(exchange);
  try {
    if (Handler::answer_early(*policy, exchange->request, exchange->response)) return answer(exchange);
    route(exchange, policy, path);
  } catch (const HttpError &error) {
    fail(exchange, error);
  } catch (const std::exception &error) {
    spdlog::error("{} {}: {}", exchange->request.method, exchange->request.path, error.what());
    fail(exchange, internal());
  }
}

void MediaService::route(const ExchangePtr &exchange, const PolicyPtr &policy, const std::string &path) {
  const std::string method = tus::method_of(exchange->request);
  if (const auto key = behind(path, kFiles)) {
    if (method == "OPTIONS") {
      tus::write_options(policy->settings.media_max_upload, exchange->response);
      return answer(exchange);
    }
    tus::check_version(exchange->request);
    if (key->empty()) {
      if (method == "POST") return create(exchange, policy);
      throw no_method(method, "OPTIONS,POST");
    }
    if (method == "HEAD") return tell_offset(exchange, policy, checked_key(*key));
    if (method == "PATCH") return patch(exchange, policy, checked_key(*key));
    if (method == "DELETE") return terminate(exchange, policy, checked_key(*key));
    throw no_method(method, "OPTIONS,HEAD,PATCH,DELETE");
  }
  const std::string rest = behind(path, "/media").value_or("");
  const std::string key = rest.substr(0, rest.find('/')),
                    what = rest.size() > key.size() ? rest.substr(key.size()) : "";
  if (method != "GET" && method != "HEAD") throw no_method(method, "GET,HEAD");
  if (what == "/url") return sign(exchange, policy, checked_key(key));
  if (!what.empty() && what != "/thumbnail") throw no_file();
  show(exchange, policy, checked_key(key), !what.empty());
}

Identity MediaService::user_of(const PolicyPtr &policy, const httplib::Request &request, bool again) {
  Identity identity = Handler::identify(*policy, request, again);
  if (identity.anonymous) {
    throw HttpError(401, "PGRST302", "Media need a signed-in user").with_header("WWW-Authenticate", "Bearer");
  }
  return identity;
}

void MediaService::answer(const ExchangePtr &exchange) {
  Handler::complete(handler_.policy()->settings, exchange->request, exchange->response);
  tus::complete(exchange->request, exchange->response);
  exchange->answer();
}

void MediaService::fail(const ExchangePtr &exchange, const HttpError &error) {
  handler_.fail(exchange->request, exchange->response, error);
  tus::complete(exchange->request, exchange->response);
  exchange->answer();
}

void MediaService::ask(const ExchangePtr &exchange, const PolicyPtr &policy, const Identity &identity, bool reads,
                       const std::string &expression, std::vector<std::string> values, Answer then) {
  Plan plan =
      own_plan(policy->settings, exchange->request, handler_.catalogue(), identity, expression, std::move(values));
  plan.read_only = reads;
  auto job = std::make_shared<pg::Job>();
  job->script = script_of(plan);
  job->done = [this, exchange, then = std::move(then)](Outcome outcome) {
    try {
      if (outcome.unavailable) throw HttpError(*outcome.unavailable);
      if (outcome.error) {
        exchange->sqlstate = outcome.error->sqlstate;
        throw from_database(*outcome.error, false);
      }
      const auto body = parse_json(result_of(std::move(outcome.rows)).body);
      then(body ? *body : json());
    } catch (const HttpError &error) {
      fail(exchange, error);
    } catch (const std::exception &error) {
      spdlog::error("{} {}: {}", exchange->request.method, exchange->request.path, error.what());
      fail(exchange, internal());
    }
  };
  calls_->executor().submit(job);
}

void MediaService::create(const ExchangePtr &exchange, const PolicyPtr &policy) {
  const httplib::Request &request = exchange->request;
  const Identity identity = user_of(policy, request);
  const auto size = tus::parse_length(request.get_header_value("Upload-Length"));
  if (request.has_header("Upload-Defer-Length")) throw bad("An upload of unknown length is not supported");
  if (!size) throw bad("Upload-Length is no number");
  if (*size > policy->settings.media_max_upload) {
    throw HttpError(413, "TUS413", "The upload is larger than Tus-Max-Size")
        .with_header("Tus-Max-Size", std::to_string(policy->settings.media_max_upload));
  }
  const bool begins = lower_case(request.get_header_value("Content-Type")) == tus::kBodyType && has_body(request);
  if (!begins && has_body(request)) throw HttpError(415, "TUS415", std::string("A body must be ") + tus::kBodyType);
  const tus::Metadata names = tus::parse_metadata(request.get_header_value("Upload-Metadata"));
  const auto made = [this, policy, begins](const ExchangePtr &created, const json &file) {
    const std::string key = file.at("file_key").get<std::string>();
    created->response.set_header("Location", with_prefix(policy->settings, "/files/" + key));
    add_expiry(file, created->response);
    if (begins) return receive(created, policy, file, 0, true);
    created->response.status = 201;
    created->response.set_header("Upload-Offset", "0");
    answer(created);
  };
  work(
      exchange,
      [this, bytes = *size] {
        media_.store->expect(bytes);
        return true;
      },
      [this, policy, identity, names, size, made](const ExchangePtr &parked, bool) {
        ask(parked, policy, identity, false, "nexus.create_upload($1, $2::bigint, nullif($3, ''))",
            {names.file_name, std::to_string(*size), names.file_type},
            [parked, made](const json &file) { made(parked, file); });
      });
}

void MediaService::tell_offset(const ExchangePtr &exchange, const PolicyPtr &policy, const std::string &key) {
  ask(exchange, policy, user_of(policy, exchange->request), true, "nexus.media_file($1::uuid)", {key},
      [this, exchange, policy, key](const json &file) {
        if (!file.is_object()) throw no_file();
        const std::uint64_t size = size_of(file);
        httplib::Response &response = exchange->response;
        response.status = 200;
        response.set_header("Cache-Control", "no-store");
        response.set_header("Upload-Length", std::to_string(size));
        add_expiry(file, response);
        if (file.at("state") != "uploading") {
          response.set_header("Upload-Offset", std::to_string(size));
          return answer(exchange);
        }
        work(
            exchange,
            [this, object = file.at("storage_key").get<std::string>(), size] {
              return Receiver::offset_of(*media_.store, object, size);
            },
            [this, policy, key, size](const ExchangePtr &parked, std::uint64_t offset) {
              parked->response.set_header("Upload-Offset", std::to_string(offset));
              if (offset < size) return answer(parked);
              // whole, but nobody was there any more to say so
              ask(parked, policy, worker_identity(policy->settings), false, "nexus.note_upload($1::uuid, $2::bigint)",
                  {key, std::to_string(offset)}, [this, parked](const json &) { answer(parked); });
            });
      });
}

void MediaService::patch(const ExchangePtr &exchange, const PolicyPtr &policy, const std::string &key) {
  const httplib::Request &request = exchange->request;
  const Identity identity = user_of(policy, request);
  if (lower_case(request.get_header_value("Content-Type")) != tus::kBodyType) {
    throw HttpError(415, "TUS415", std::string("The body must be ") + tus::kBodyType);
  }
  const auto offset = tus::parse_length(request.get_header_value("Upload-Offset"));
  if (!offset) throw bad("Upload-Offset is no number");
  if (request.has_header("Upload-Checksum")) tus::parse_checksum(request.get_header_value("Upload-Checksum"));
  ask(exchange, policy, identity, true, "nexus.media_file($1::uuid)", {key},
      [this, exchange, policy, offset](const json &file) {
        if (!file.is_object()) throw no_file();
        if (*offset > size_of(file) || (file.at("state") != "uploading" && *offset != size_of(file))) {
          throw HttpError(409, "TUS409", "The upload is not at that offset");
        }
        receive(exchange, policy, file, *offset, false);
      });
}

void MediaService::terminate(const ExchangePtr &exchange, const PolicyPtr &policy, const std::string &key) {
  ask(exchange, policy, user_of(policy, exchange->request), false, "(SELECT true FROM nexus.delete_media($1::uuid))",
      {key}, [this, exchange](const json &) {
        exchange->response.status = 204;
        answer(exchange);
      });
}

void MediaService::receive(const ExchangePtr &exchange, const PolicyPtr &policy, const json &file, std::uint64_t offset,
                           bool created) {
  const httplib::Request &request = exchange->request;
  const std::uint64_t size = size_of(file);
  const auto length = tus::parse_length(request.get_header_value("Content-Length"));
  if (length && *length > size - offset) throw HttpError(413, "TUS413", "The body goes beyond the end of the upload");
  Receiver::Wanted wanted{file.at("storage_key").get<std::string>(), offset, size};
  if (request.has_header("Upload-Checksum")) {
    wanted.checksum = tus::parse_checksum(request.get_header_value("Upload-Checksum"));
  }
  if (media_.receiving >= policy->settings.media_max_receiving) {
    throw unavailable("HTTP503", "Too many uploads are being received");
  }
  ++media_.receiving;
  const std::uint64_t number = ++last_;
  auto receiver = std::make_shared<Receiver>(*media_.store, std::move(wanted));
  receiving_.emplace(number, new Receiving{exchange, policy, file.at("file_key").get<std::string>(), size, created,
                                           receiver, asio::make_strand(media_.threads)});
  exchange->abandoned = [this, number] {
    const auto found = receiving_.find(number);
    if (found == receiving_.end()) return;
    found->second->left = true;
    stop_receiving(number, false, std::nullopt);
  };
  asio::post(receiving_.at(number)->strand, [this, number, receiver] {
    auto error = std::make_shared<std::optional<HttpError>>();
    try {
      receiver->open();
    } catch (const HttpError &failed) {
      *error = failed;
    } catch (const std::exception &failed) {
      spdlog::error("an upload cannot be opened: {}", failed.what());
      *error = internal();
    }
    asio::post(loop_.context, [this, number, error] {
      if (*error) return stop_receiving(number, false, *error);
      opened(number);
    });
  });
}

void MediaService::opened(std::uint64_t number) {
  const auto found = receiving_.find(number);
  if (found == receiving_.end() || found->second->ending) return;
  const ExchangePtr exchange = found->second->exchange;
  if (!has_body(exchange->request)) return stop_receiving(number, true, std::nullopt);
  exchange->on_body = [this, number](std::string_view bytes, bool last) { return take_body(number, bytes, last); };
  exchange->read_body();
}

bool MediaService::take_body(std::uint64_t number, std::string_view bytes, bool last) {
  const auto found = receiving_.find(number);
  if (found == receiving_.end() || found->second->ending) return false;
  Receiving &receiving = *found->second;
  receiving.waiting += bytes.size();
  asio::post(receiving.strand, [this, number, receiver = receiving.receiver, copy = std::string(bytes)] {
    auto error = std::make_shared<std::optional<HttpError>>();
    try {
      receiver->take(copy);
    } catch (const HttpError &failed) {
      *error = failed;
    } catch (const std::exception &failed) {
      spdlog::error("an upload cannot be written: {}", failed.what());
      *error = internal();
    }
    asio::post(loop_.context, [this, number, error, written = copy.size()] {
      const auto place = receiving_.find(number);
      if (place == receiving_.end()) return;
      Receiving &going_on = *place->second;
      going_on.waiting -= written;
      if (*error) return stop_receiving(number, false, *error);
      if (!going_on.paused || going_on.ending || going_on.waiting > kMaxWaiting / 2) return;
      going_on.paused = false;
      const ExchangePtr exchange = going_on.exchange;
      exchange->read_body();
    });
  });
  if (last) {
    stop_receiving(number, true, std::nullopt);
    return false;
  }
  receiving.paused = receiving.waiting >= kMaxWaiting;
  return !receiving.paused;
}

// The first reason to stop counts; an error that is found behind the end of the body is told all the same.
void MediaService::stop_receiving(std::uint64_t number, bool whole, std::optional<HttpError> error) {
  const auto found = receiving_.find(number);
  if (found == receiving_.end()) return;
  Receiving &receiving = *found->second;
  if (error && !receiving.error) receiving.error = std::move(error);
  if (std::exchange(receiving.ending, true)) return;
  asio::post(receiving.strand, [this, number, whole, receiver = receiving.receiver] {
    struct Ended {
      std::optional<std::uint64_t> offset;
      std::optional<HttpError> error;
    };
    auto ended = std::make_shared<Ended>();
    try {
      if (const auto kept = receiver->end(whole)) ended->offset.emplace(*kept);
    } catch (const HttpError &failed) {
      ended->error.emplace(failed);
    } catch (const std::exception &failed) {
      spdlog::error("an upload cannot be kept: {}", failed.what());
      ended->error.emplace(internal());
    }
    asio::post(loop_.context, [this, number, ended] {
      const auto place = receiving_.find(number);
      if (place == receiving_.end()) return;
      if (ended->error && !place->second->error) place->second->error = ended->error;
      settle(number, ended->offset);
    });
  });
}

// The store has what there is to keep: the database hears how far that is, then the client.
void MediaService::settle(std::uint64_t number, std::optional<std::uint64_t> offset) {
  const std::unique_ptr<Receiving> receiving = std::move(receiving_.extract(number).mapped());
  --media_.receiving;
  const ExchangePtr exchange = receiving->exchange;
  exchange->on_body = nullptr;
  exchange->abandoned = nullptr;
  if (!offset) return fail(exchange, receiving->error.value_or(internal()));
  try {
    ask(exchange, receiving->policy, worker_identity(receiving->policy->settings), false,
        "nexus.note_upload($1::uuid, $2::bigint)", {receiving->file_key, std::to_string(*offset)},
        [this, exchange, offset, length = receiving->size, created = receiving->created,
         error = receiving->error](const json &file) {
          if (error) return fail(exchange, *error);
          if (!file.at("state").is_string() && *offset < length) throw no_file();  // deleted meanwhile
          httplib::Response &response = exchange->response;
          response.status = created ? 201 : 204;
          response.headers.erase("Upload-Expires");
          add_expiry(file, response);
          response.set_header("Upload-Offset", std::to_string(*offset));
          answer(exchange);
        });
  } catch (const HttpError &error) {
    fail(exchange, error);
  }
}

}  // namespace nexus::bridge
