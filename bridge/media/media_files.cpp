// GET /media: files as they are shown, to their owner and to whoever has a signed address.
#include <boost/asio/post.hpp>
#include <chrono>

#include "bridge/http/text.hpp"
#include "bridge/http/url.hpp"
#include "bridge/media/byte_range.hpp"
#include "bridge/media/media_service.hpp"
#include "bridge/media/tus.hpp"

namespace nexus::bridge {
namespace {

using nlohmann::json;

constexpr std::size_t kPiece = std::size_t{256} << 10;  // that is read at a time
constexpr std::size_t kKeyLength = 36;
constexpr long long kDefaultLifetime = 600;

std::int64_t now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string signed_text(const std::string &key, const std::string &expires) {
  return "media:" + key + ":" + expires;
}

std::string argument(const httplib::Request &request, std::string_view name) {
  for (const auto &[key, value] : parse_pairs(query_string(request))) {
    if (key == name) return value;
  }
  return "";
}

// Only what a browser shows without running it is shown in place: an SVG or an HTML page would act in our name.
bool shown_in_place(const std::string &type) {
  const bool medium =
      type.compare(0, 6, "image/") == 0 || type.compare(0, 6, "video/") == 0 || type.compare(0, 6, "audio/") == 0;
  return medium && type.find("svg") == std::string::npos && type.find("xml") == std::string::npos;
}

// A file name for Content-Disposition (RFC 6266, RFC 8187).
std::string disposition(bool in_place, const std::string &name) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
    if (plain) {
      encoded += c;
    } else {
      (encoded += '%') += kDigits[byte >> 4];
      encoded += kDigits[byte & 15];
    }
  }
  return std::string(in_place ? "inline" : "attachment") + "; filename*=UTF-8''" + encoded;
}

std::string type_of_thumbnail(const std::string &key) {
  const auto ends = [&key](std::string_view suffix) {
    return key.size() > suffix.size() && key.compare(key.size() - suffix.size(), suffix.size(), suffix) == 0;
  };
  return ends("png") ? "image/png" : ends("webp") ? "image/webp" : "image/jpeg";
}

}  // namespace

struct MediaService::Sending {
  ExchangePtr exchange;
  std::string key;
  std::uint64_t at = 0, end = 0;
  bool left = false;
};

void MediaService::sign(const ExchangePtr &exchange, const PolicyPtr &policy, const std::string &key) {
  if (policy->session_keys.empty())
    throw HttpError(404, "PGRST125", "There are no signed addresses without session-keys");
  const std::string asked = argument(exchange->request, "seconds");
  const auto seconds = asked.empty() ? kDefaultLifetime : whole_number(asked).value_or(0);
  if (seconds < 1 || seconds > policy->settings.media_url_lifetime) {
    throw HttpError(400, "PGRST100",
                    "seconds must be from 1 to " + std::to_string(policy->settings.media_url_lifetime));
  }
  ask(exchange, policy, user_of(policy, exchange->request), true, "nexus.media_file($1::uuid)", {key},
      [this, exchange, policy, key, seconds](const json &file) {
        if (!file.is_object()) throw HttpError(404, "HTTP404", "There is no such file");
        const std::string expires = std::to_string(now() + seconds);
        const std::string path = exchange->request.path.substr(0, exchange->request.path.rfind("/url"));
        exchange->response.status = 200;
        exchange->response.set_header("Content-Type", kJsonType);
        exchange->response.set_header("Cache-Control", "no-store");
        exchange->response.body = json{
            {"url",
             path + "?expires=" + expires + "&signature=" + policy->session_keys.sign(signed_text(key, expires))},
            {"expires",
             std::stoll(expires)}}.dump();
        answer(exchange);
      });
}

void MediaService::show(const ExchangePtr &exchange, const PolicyPtr &policy, const std::string &key, bool thumbnail) {
  const std::string signature = argument(exchange->request, "signature"),
                    expires = argument(exchange->request, "expires");
  const bool has_signature = !signature.empty();
  if (has_signature) {
    const auto end = tus::parse_length(expires);
    const bool good = end && policy->session_keys.verify(signed_text(key, expires), signature);
    if (!good || static_cast<std::int64_t>(*end) < now()) {
      throw HttpError(403, "HTTP403", good ? "The address has expired" : "The address is not signed by us");
    }
  }
  const Identity identity = has_signature ? worker_identity(policy->settings) : user_of(policy, exchange->request);
  ask(exchange, policy, identity, true, has_signature ? "nexus.stored_media($1::uuid)" : "nexus.media_file($1::uuid)",
      {key}, [this, exchange, thumbnail](const json &file) {
        if (!file.is_object()) throw HttpError(404, "HTTP404", "There is no such file");
        if (file.at("state") != "ready")
          throw HttpError(404, "HTTP404", "The file is " + file.at("state").get<std::string>());
        if (thumbnail && file.at("thumbnail_key").is_null())
          throw HttpError(404, "HTTP404", "The file has no thumbnail");
        const std::string object = file.at(thumbnail ? "thumbnail_key" : "storage_key").get<std::string>();
        const std::string type = thumbnail ? type_of_thumbnail(object) : file.at("mime_type").get<std::string>();
        httplib::Response &response = exchange->response;
        response.set_header("Content-Type", type);
        response.set_header("Content-Disposition",
                            disposition(shown_in_place(type), file.at("file_name").get<std::string>()));
        response.set_header("X-Content-Type-Options", "nosniff");
        response.set_header("Content-Security-Policy", "default-src 'none'; sandbox");
        response.set_header("Cache-Control", "private, max-age=3600");
        const std::string etag =
            "\"" + file.at("sha256").get<std::string>().substr(0, 32) + (thumbnail ? "-t\"" : "\"");
        if (!thumbnail) return send_object(exchange, object, etag, file.at("size").get<std::uint64_t>());
        work(
            exchange, [this, object] { return media_.store->size(object).value_or(0); },
            [this, object, etag](const ExchangePtr &parked, std::uint64_t size) {
              send_object(parked, object, etag, size);
            });
      });
}

void MediaService::send_object(const ExchangePtr &exchange, const std::string &key, const std::string &etag,
                               std::uint64_t size) {
  const httplib::Request &request = exchange->request;
  httplib::Response &response = exchange->response;
  response.set_header("ETag", etag);
  response.set_header("Accept-Ranges", "bytes");
  const std::string known = request.get_header_value("If-None-Match");
  if (!known.empty() && (known == "*" || known.find(etag) != std::string::npos)) {
    response.status = 304;
    return answer(exchange);
  }
  auto sending = std::make_shared<Sending>(Sending{exchange, key, 0, size});
  response.status = 200;
  const std::string condition = request.get_header_value("If-Range");
  bool unsatisfiable = false;
  const auto range = request.has_header("Range") && (condition.empty() || condition == etag)
                         ? parse_byte_range(request.get_header_value("Range"), size, unsatisfiable)
                         : std::nullopt;
  if (unsatisfiable) {
    throw HttpError(416, "HTTP416", "The file has " + std::to_string(size) + " bytes")
        .with_header("Content-Range", "bytes */" + std::to_string(size));
  }
  if (range) {
    response.status = 206;
    sending->at = range->first;
    sending->end = range->last + 1;
    response.set_header("Content-Range", "bytes " + std::to_string(range->first) + "-" + std::to_string(range->last) +
                                             "/" + std::to_string(size));
  }
  response.set_header("Content-Length", std::to_string(sending->end - sending->at));
  if (request.method == "HEAD") return answer(exchange);
  // The first piece is read before the head goes out: what is missing is an error that can be told.
  const std::size_t first = std::min<std::uint64_t>(kPiece, sending->end - sending->at);
  work(
      exchange, [this, key, at = sending->at, first] { return media_.store->read(key, at, first); },
      [this, sending](const ExchangePtr &parked, const std::string &bytes) {
        if (bytes.empty()) throw HttpError(404, "HTTP404", "There is no such file");
        Handler::complete(handler_.policy()->settings, parked->request, parked->response);
        tus::complete(parked->request, parked->response);
        // each holds the other while bytes are sent: whoever leaves undoes that
        parked->abandoned = [sending] {
          sending->left = true;
          if (const ExchangePtr left = std::exchange(sending->exchange, nullptr)) left->drained = nullptr;
        };
        parked->open_sized();
        if (sending->left) return;
        sending->at += bytes.size();
        parked->drained = [this, sending] { send_more(sending); };
        if (parked->send_part(bytes)) send_more(sending);
      });
}

// By value: the caller's pointer goes with `drained`.
// NOLINTNEXTLINE(performance-unnecessary-value-param)
void MediaService::send_more(std::shared_ptr<Sending> sending) {
  if (sending->left) return;
  if (sending->at == sending->end) {
    const ExchangePtr exchange = std::exchange(sending->exchange, nullptr);
    exchange->abandoned = exchange->drained = nullptr;
    return exchange->end_parts();
  }
  const std::size_t count = std::min<std::uint64_t>(kPiece, sending->end - sending->at);
  boost::asio::post(media_.threads, [this, number = parking_.park(sending->exchange), key = sending->key,
                                     at = sending->at, count, weak = std::weak_ptr<Sending>(sending)] {
    auto bytes = std::make_shared<std::string>();
    try {
      *bytes = media_.store->read(key, at, count);
    } catch (const std::exception &) {
      bytes->clear();
    }
    boost::asio::post(loop_.context, [this, number, bytes, weak] {
      const auto parked = parking_.take(number);
      const auto going_on = weak.lock();
      if (!parked || !going_on || going_on->left) return;
      if (bytes->empty()) return parked->close_stream();  // the head is out: a cut says that it is not whole
      going_on->at += bytes->size();
      if (parked->send_part(*bytes)) send_more(going_on);
    });
  });
}

}  // namespace nexus::bridge
