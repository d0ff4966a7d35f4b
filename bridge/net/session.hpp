#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "bridge/net/exchange.hpp"
#include "bridge/net/loop.hpp"
#include "bridge/net/request_parser.hpp"

namespace nexus::bridge::net {

/// One connection of a client: reads requests, hands each to the loop's service, writes the answers in order. While it
/// waits for bytes it holds no thread and no buffer.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Loop &loop, boost::asio::ip::tcp::socket socket);
  ~Session();
  Session(const Session &) = delete;
  Session &operator=(const Session &) = delete;

  void start();

  /// Whether the client has taken too long with what is its turn.
  bool overdue(Clock::time_point now) const;

  /// Ends what is overdue: with 408 in the middle of a request, else without a word.
  void give_up();

  /// Closes when idle; else the next answer is the last.
  void drain();

  /// Cuts the connection.
  void close();

 private:
  friend class Exchange;
  enum class State { kHandshake, kIdle, kHead, kBody, kReceiving, kWorking, kWriting, kStreaming, kLinger, kClosed };
  struct Tls {
    Tls(boost::asio::ip::tcp::socket &socket, boost::asio::ssl::context &context) : stream(socket, context) {}
    boost::asio::ssl::stream<boost::asio::ip::tcp::socket &> stream;
    std::array<char, 8192> buffer{};
  };

  bool reading() const {
    return state_ == State::kIdle || state_ == State::kHead || state_ == State::kBody ||
           (state_ == State::kReceiving && flowing_);
  }
  void watch();
  void receive();
  void arrived(std::string_view bytes);
  void ended();
  void pump();
  void take();
  void dispatch();
  void make_exchange();
  void dispatch_head();
  void read_body(Exchange &exchange);
  void hand_over();
  void refuse(const FramingError &error);
  void give_grace();
  void send_continue();
  void respond(Exchange &exchange, int status, std::string head, std::string body);
  void flush();
  void flush_tls();
  void all_sent();
  void linger();
  enum class Form { kEndless, kChunks, kSized };
  void open_stream(Exchange &exchange, Form form);
  bool send_part(std::string_view bytes);
  void end_parts(Exchange &exchange);
  void forget_sent();
  bool stream(std::string_view bytes);
  std::chrono::microseconds time_taken() const;
  void log(const Exchange &exchange, int status, std::size_t bytes) const;

  Loop &loop_;
  boost::asio::ip::tcp::socket socket_;
  std::unique_ptr<Tls> tls_;
  std::unique_ptr<RequestParser> parser_;
  std::shared_ptr<Exchange> exchange_;
  std::unique_ptr<boost::asio::steady_timer> grace_;
  std::string peer_, in_, out_head_, out_;
  std::size_t out_at_ = 0, lingered_ = 0, streamed_ = 0, received_ = 0, fresh_ = 0;
  State state_ = State::kIdle;
  std::optional<Clock::time_point> deadline_;
  Clock::time_point started_;
  bool watching_ = false, writing_ = false, pumping_ = false, keep_alive_ = true, last_ = false, peer_done_ = false;
  bool http_1_1_ = true, parts_ = false, behind_ = false, chunked_ = false, flowing_ = false;
};

}  // namespace nexus::bridge::net
