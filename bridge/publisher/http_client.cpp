#include "bridge/publisher/http_client.hpp"

#include <openssl/ssl.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

namespace nexus::publisher {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using Tcp = asio::ip::tcp;

constexpr std::uint32_t kMaxHeader = 32768;
constexpr std::chrono::milliseconds kStopEvery{50};

// Runs asynchronous operations to their end: the stream's deadline, which blocking calls do not know, ends them in
// time, and so does the caller's wish.
class Waiter {
 public:
  Waiter(asio::io_context &context, beast::tcp_stream &plain, const Call &call)
      : context_(context), plain_(plain), call_(call) {}

  template <typename Start>
  error_code operator()(Start start) {
    error_code result = asio::error::would_block;
    start([&result](error_code code, auto...) { result = code; });
    context_.restart();
    if (!call_.stop) {
      context_.run();
      return result;
    }
    while (!context_.stopped()) {
      if (call_.stop()) plain_.close();
      context_.run_for(kStopEvery);
    }
    return result;
  }

 private:
  asio::io_context &context_;
  beast::tcp_stream &plain_;
  const Call &call_;
};

http::request<http::string_body> request_of(const Call &call, const Url &url) {
  http::request<http::string_body> request;
  request.version(11);
  request.method_string(call.method);
  request.target(url.target);
  request.set(http::field::host, url.authority());
  request.set(http::field::user_agent, "creatornexus-publisher");
  request.set(http::field::connection, "close");
  request.set(http::field::accept_encoding, "identity");
  for (const auto &[name, value] : call.headers) request.set(name, value);
  request.body() = call.body;
  request.prepare_payload();
  return request;
}

template <typename Stream>
void exchange(Waiter &wait, Stream &stream, const Call &call, const Url &url, Exchange &result) {
  const auto request = request_of(call, url);
  error_code code = wait([&](auto done) { http::async_write(stream, request, done); });
  // From here on some of it may have arrived, whatever went wrong.
  result.state = Exchange::State::kCut;
  if (code) {
    result.error = "the request was cut off: " + code.message();
    return;
  }
  beast::flat_buffer buffer(kMaxHeader + 65536);
  http::response_parser<http::string_body> parser;
  parser.header_limit(kMaxHeader);
  parser.body_limit(call.max_response);
  do {
    code = wait([&](auto done) { http::async_read(stream, buffer, parser, done); });
  } while (!code && parser.get().result_int() / 100 == 1);
  // Without a length the end of the connection is the end of the answer; a peer that says no goodbye cut it short.
  if (code) {
    result.error = code == beast::error::timeout        ? "no answer in time"
                   : code == http::error::body_limit    ? "the answer is too long"
                   : code == http::error::end_of_stream ? "the connection was closed without an answer"
                                                        : "the answer was cut off: " + code.message();
    return;
  }
  result.state = Exchange::State::kAnswered;
  result.status = static_cast<int>(parser.get().result_int());
  for (const auto &field : parser.get()) {
    result.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  result.body = std::move(parser.get().body());
}

}  // namespace

struct HttpClient::Tls {
  asio::ssl::context context{asio::ssl::context::tls_client};
};

std::string Exchange::header(const std::string &name) const {
  for (const auto &[key, value] : headers) {
    if (beast::iequals(key, name)) return value;
  }
  return "";
}

HttpClient::HttpClient(AddressGuard guard, const std::string &ca_file)
    : guard_(std::move(guard)), tls_(std::make_unique<Tls>()) {
  tls_->context.set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1);
  tls_->context.set_verify_mode(asio::ssl::verify_peer);
  error_code code;
  tls_->context.set_default_verify_paths(code);
  if (!code && !ca_file.empty()) tls_->context.load_verify_file(ca_file, code);
  if (code) throw std::runtime_error("the certificates to trust cannot be read: " + code.message());
}

HttpClient::~HttpClient() = default;

Exchange HttpClient::run(const Call &call) const {
  Exchange result;
  const auto url = parse_url(call.url);
  if (!url) {
    result.state = Exchange::State::kRefused;
    result.error = "it is not an http(s) address";
    return result;
  }
  const auto checked = guard_.check(*url);
  if (checked.address.empty()) {
    result.state = checked.refused ? Exchange::State::kRefused : Exchange::State::kNotSent;
    result.error = checked.reason;
    return result;
  }
  asio::io_context context;
  error_code code;
  const Tcp::endpoint endpoint(asio::ip::make_address(checked.address, code),
                               static_cast<std::uint16_t>(std::stoi(url->port)));
  if (code) {
    result.error = "the address cannot be used: " + code.message();
    return result;
  }
  beast::ssl_stream<beast::tcp_stream> stream(context, tls_->context);
  beast::tcp_stream &plain = beast::get_lowest_layer(stream);
  plain.expires_after(call.timeout);
  Waiter wait(context, plain, call);
  code = wait([&](auto done) { plain.async_connect(endpoint, done); });
  if (code) {
    result.error = "no connection to " + url->host + ": " + code.message();
    return result;
  }
  if (!url->tls) {
    exchange(wait, plain, call, *url, result);
  } else {
    // SNI takes names only, not addresses.
    if (!parse_address(url->host)) SSL_set_tlsext_host_name(stream.native_handle(), url->host.c_str());
    stream.set_verify_callback(asio::ssl::host_name_verification(url->host));
    code = wait([&](auto done) { stream.async_handshake(asio::ssl::stream_base::client, done); });
    if (code) {
      result.error = "no TLS with " + url->host + ": " + code.message();
      return result;
    }
    exchange(wait, stream, call, *url, result);
  }
  plain.close();
  return result;
}

}  // namespace nexus::publisher
