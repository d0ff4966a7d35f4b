#pragma once

#include <httplib.h>

#include <boost/beast/http/basic_parser.hpp>
#include <cstddef>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace nexus::bridge::net {

constexpr std::size_t kMaxUri = 8192, kMaxHead = 16384, kMaxFields = 100, kMaxChunkExtension = 256;

/// A request that is not HTTP as RFC 9112 writes it, or is beyond a limit. The connection is closed after the answer.
struct FramingError : std::exception {
  FramingError(int status, const char *message) : status(status), message(message) {}
  const char *what() const noexcept override { return message; }
  int status;
  const char *message;
};

/// Boost.Beast's parser, which fills a cpp-httplib request, and what Beast forgives but this server does not, because
/// it is how requests are smuggled: two lengths, a missing Host, folded lines, bare line feeds, unknown codings.
///
///     RequestParser parser(1 << 20);
///     bytes.erase(0, parser.take(bytes));
///     if (parser.done()) serve(parser.request);
class RequestParser : private boost::beast::http::basic_parser<true> {
 public:
  /// Which requests hand their body over in parts, by method and path.
  using InParts = std::function<bool(const httplib::Request &head)>;

  /// `in_parts`: of such requests the body may be of any size; empty: there are none.
  explicit RequestParser(std::size_t max_body, InParts in_parts = {});

  /// Eats what it can from the front of `bytes` and says how much that was. Throws FramingError.
  std::size_t take(std::string_view bytes);

  bool done() const { return is_done(); }
  bool head_done() const { return is_header_done(); }
  bool keep_alive() const { return keep_alive_; }
  bool http_1_1() const { return http_1_1_; }
  /// The client waits for "100 Continue" before it sends the body.
  bool expects_continue() const { return expects_continue_ && !is_done(); }
  std::size_t body_bytes() const { return request.body.size(); }
  /// The body is to be taken in parts: take() stops behind the head, and `request` may be moved away there.
  bool in_parts() const { return in_parts_; }
  /// What has come of the body since the last call.
  std::string take_body() { return std::exchange(request.body, {}); }

  httplib::Request request;

 private:
  using Error = boost::beast::error_code;
  using View = boost::beast::string_view;
  using Verb = boost::beast::http::verb;
  using Field = boost::beast::http::field;

  std::size_t take_head(std::string_view bytes);
  std::size_t put_all(std::string_view bytes);
  void on_request_impl(Verb verb, View method, View target, int version, Error &error) override;
  void on_response_impl(int status, View reason, int version, Error &error) override;
  void on_field_impl(Field field, View name, View value, Error &error) override;
  void on_header_impl(Error &error) override;
  void on_body_init_impl(const boost::optional<std::uint64_t> &length, Error &error) override;
  std::size_t on_body_impl(View bytes, Error &error) override;
  void on_chunk_header_impl(std::uint64_t size, View extensions, Error &error) override;
  std::size_t on_chunk_body_impl(std::uint64_t left, View bytes, Error &error) override;
  void on_finish_impl(Error &error) override;

  std::size_t fields_ = 0, hosts_ = 0, lengths_ = 0, codings_ = 0, searched_ = 0;
  InParts wants_parts_;
  bool http_1_1_ = true, keep_alive_ = true, expects_continue_ = false, in_trailer_ = false, in_parts_ = false;
};

}  // namespace nexus::bridge::net
