#include "bridge/net/session.hpp"

#include <netinet/tcp.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>

#include "bridge/http/answer.hpp"
#include "bridge/http/error.hpp"
#include "bridge/net/log.hpp"
#include "bridge/net/reply.hpp"

namespace nexus::bridge::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;

constexpr std::size_t kMaxAhead = std::size_t{64} << 10;    // bytes of later requests that are taken before their turn
constexpr std::size_t kSlowestBody = 10240;                 // bytes a second
constexpr std::size_t kSlowestReader = 10240;               // bytes a second
constexpr std::size_t kMaxBehind = std::size_t{128} << 10;  // bytes of a stream that wait for its reader
constexpr std::size_t kMaxLinger = std::size_t{16} << 20;
constexpr int kClientLeft = 499;  // never sent: it stands in the log for a request that nobody waited for
// Of a body that is taken in parts; who is slower is gone, and goes on later where that ended.
constexpr auto kPartTimeout = std::chrono::seconds(20);
constexpr std::size_t kLeastPart = 4096;
constexpr auto kLinger = std::chrono::seconds(2);
// Many clients close only their sending side behind the request: what takes no longer than this is still answered.
constexpr auto kGrace = std::chrono::milliseconds(50);

std::chrono::milliseconds at_rate(std::size_t bytes, std::size_t rate) {
  return std::chrono::milliseconds(bytes * 1000 / rate);
}

std::string address_of(const tcp::socket &socket) {
  error_code error;
  const auto endpoint = socket.remote_endpoint(error);
  return error ? "" : endpoint.address().to_string();
}

}  // namespace

Session::Session(Loop &loop, tcp::socket socket)
    : loop_(loop), socket_(std::move(socket)), peer_(address_of(socket_)), started_(Clock::now()) {
  loop_.sessions.insert(this);
}

Session::~Session() {
  loop_.sessions.erase(this);
}

void Session::start() {
  error_code error;
  socket_.non_blocking(true, error);
  socket_.set_option(tcp::no_delay(true), error);
  deadline_ = Clock::now() + loop_.options.head_timeout;
  if (!loop_.tls) return watch();
  state_ = State::kHandshake;
  tls_ = std::make_unique<Tls>(socket_, *loop_.tls);
  tls_->stream.async_handshake(asio::ssl::stream_base::server, [self = shared_from_this()](const error_code &failure) {
    if (self->state_ == State::kClosed) return;
    if (failure) return self->close();
    self->state_ = State::kIdle;
    self->watch();
  });
}

// Waits for bytes; the buffer comes into play only when they are there.
void Session::watch() {
  if (watching_ || peer_done_ || state_ == State::kClosed || in_.size() > kMaxAhead) return;
  watching_ = true;
  if (tls_) {
    tls_->stream.async_read_some(asio::buffer(tls_->buffer),
                                 [self = shared_from_this()](const error_code &error, std::size_t bytes) {
                                   self->watching_ = false;
                                   if (self->state_ == State::kClosed) return;
                                   if (error) return self->ended();
                                   self->arrived({self->tls_->buffer.data(), bytes});
                                 });
    return;
  }
  socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](const error_code &error) {
    self->watching_ = false;
    if (self->state_ == State::kClosed) return;
    if (error) return self->close();
    self->receive();
  });
}

void Session::receive() {
  error_code error;
  const std::size_t bytes = socket_.read_some(asio::buffer(loop_.scratch), error);
  if (error == asio::error::would_block || error == asio::error::try_again) return watch();
  if (error == asio::error::eof) return ended();
  if (error) return close();
  arrived({loop_.scratch.data(), bytes});
}

void Session::arrived(std::string_view bytes) {
  if (state_ == State::kLinger) {
    lingered_ += bytes.size();
    if (lingered_ > kMaxLinger) return close();
    return watch();
  }
  if (state_ != State::kStreaming || parts_) in_.append(bytes);
  pump();
  watch();
}

// The client sends nothing more.
void Session::ended() {
  peer_done_ = true;
  switch (state_) {
    case State::kWorking:
      return give_grace();
    case State::kReceiving:
      if (flowing_) close();  // else what has come is handed over first
      return;
    case State::kHead:
    case State::kBody:
      return refuse(FramingError(400, "The request is incomplete"));
    case State::kWriting:
      last_ = last_ || in_.empty();
      return;
    case State::kStreaming:
      if (!parts_) close();  // else what has left altogether shows when it is written to
      return;
    default:
      close();
  }
}

void Session::give_grace() {
  grace_ = std::make_unique<asio::steady_timer>(loop_.context, kGrace);
  grace_->async_wait([self = shared_from_this(), waited = exchange_.get()](const error_code &error) {
    if (!error && self->state_ == State::kWorking && self->exchange_.get() == waited) self->close();
  });
}

// Serves the requests that are in the buffer, one after the other.
void Session::pump() {
  if (pumping_) return;
  pumping_ = true;
  try {
    while (reading() && !in_.empty()) {
      const std::size_t before = in_.size();
      take();
      if (in_.size() == before) break;
    }
  } catch (const FramingError &error) {
    refuse(error);
  }
  pumping_ = false;
  if (in_.empty()) std::string().swap(in_);
  if (peer_done_ && reading() && !watching_) {
    if (state_ == State::kIdle || state_ == State::kReceiving) return close();
    refuse(FramingError(400, "The request is incomplete"));
  }
}

void Session::take() {
  if (!parser_) {
    parser_ = std::make_unique<RequestParser>(
        loop_.options.max_body, [this](const httplib::Request &head) { return loop_.service->takes_parts(head); });
    state_ = State::kHead;
    started_ = Clock::now();
    deadline_ = started_ + loop_.options.head_timeout;
  }
  in_.erase(0, parser_->take(in_));
  if (state_ == State::kReceiving) return hand_over();
  if (parser_->done()) return dispatch();
  if (parser_->head_done() && parser_->in_parts()) return dispatch_head();
  if (state_ == State::kHead && parser_->head_done()) {
    state_ = State::kBody;
    started_ = Clock::now();
    if (parser_->expects_continue() && in_.empty()) send_continue();
  }
}

void Session::send_continue() {
  constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  error_code error;
  if (tls_) {
    tls_->stream.write_some(asio::buffer(kContinue), error);
  } else {
    socket_.write_some(asio::buffer(kContinue), error);
  }
}

void Session::make_exchange() {
  keep_alive_ = parser_->keep_alive();
  http_1_1_ = parser_->http_1_1();
  parser_->request.remote_addr = peer_;
  exchange_ = std::make_shared<Exchange>(shared_from_this(), std::move(parser_->request));
  received_ = 0;
}

// The body comes when the service asks for it.
void Session::dispatch_head() {
  make_exchange();
  parser_->request = httplib::Request();
  state_ = State::kReceiving;
  flowing_ = false;
  fresh_ = 0;
  deadline_.reset();
  const auto exchange = exchange_;
  loop_.service->serve(exchange);
}

void Session::read_body(Exchange &exchange) {
  if (exchange_.get() != &exchange) return exchange.tell_abandoned();
  if (state_ != State::kReceiving || flowing_) return;
  flowing_ = true;
  if (received_ == 0 && in_.empty() && parser_->expects_continue()) send_continue();
  deadline_ = Clock::now() + kPartTimeout;
  pump();
  watch();
}

void Session::hand_over() {
  const std::string bytes = parser_->take_body();
  const bool last = parser_->done();
  if (bytes.empty() && !last) return;
  received_ += bytes.size();
  fresh_ += bytes.size();
  if (fresh_ >= kLeastPart) {
    fresh_ = 0;
    deadline_ = Clock::now() + kPartTimeout;
  }
  if (last) {
    parser_.reset();
    state_ = State::kWorking;
    flowing_ = false;
    deadline_.reset();  // whoever has sent all of it and closed that side is answered, however long the store takes
  }
  const auto exchange = exchange_;
  const bool more = exchange->on_body && exchange->on_body(bytes, last);
  if (state_ != State::kReceiving || more) return;
  flowing_ = false;
  deadline_.reset();
}

void Session::dispatch() {
  make_exchange();
  parser_.reset();
  state_ = State::kWorking;
  deadline_.reset();
  if (peer_done_) give_grace();
  const auto exchange = exchange_;
  loop_.service->serve(exchange);
}

void Session::refuse(const FramingError &error) {
  const std::string body = error_body(HttpError(error.status, "HTTP" + std::to_string(error.status), error.message));
  httplib::Request request;
  httplib::Response response;
  response.status = error.status;
  response.headers.emplace("Content-Type", kJsonType);
  response.body = body;
  const Trace trace = trace_of(parser_ ? parser_->request : request);
  response.headers.emplace("X-Request-Id", trace.request_id);
  if (loop_.options.log_requests) {
    const std::string method = parser_ ? parser_->request.method : "", path = parser_ ? parser_->request.path : "";
    log_request({trace, peer_, method, path, error.status, time_taken(), 0, body.size(), "", error.message});
  }
  parser_.reset();
  if (const auto left = std::exchange(exchange_, nullptr)) {
    if (left->abandoned) std::exchange(left->abandoned, nullptr)();
  }
  in_.clear();
  keep_alive_ = false;
  last_ = true;
  state_ = State::kWriting;
  out_head_ = head_of(request, response, true);
  out_ = body;
  out_at_ = 0;
  flush();
}

void Session::respond(Exchange &exchange, int status, std::string head, std::string body) {
  if (exchange_.get() != &exchange || (state_ != State::kWorking && state_ != State::kReceiving)) return;
  parser_.reset();
  log(exchange, status, body.size());
  exchange_.reset();
  grace_.reset();
  state_ = State::kWriting;
  out_head_ = std::move(head);
  out_ = std::move(body);
  out_at_ = 0;
  flush();
}

// Writes what the kernel takes, and waits for the rest. A client that does not read is cut off by the deadline.
void Session::flush() {
  if (writing_) return;
  deadline_ = Clock::now() + loop_.options.write_timeout + at_rate(out_head_.size() + out_.size(), kSlowestReader);
  if (tls_) return flush_tls();
  while (out_at_ < out_head_.size() + out_.size()) {
    const std::size_t in_head = std::min(out_at_, out_head_.size()), in_body = out_at_ - in_head;
    const std::array<asio::const_buffer, 2> buffers{
        asio::buffer(out_head_.data() + in_head, out_head_.size() - in_head),
        asio::buffer(out_.data() + in_body, out_.size() - in_body)};
    error_code error;
    const std::size_t bytes = socket_.write_some(buffers, error);
    if (error == asio::error::would_block || error == asio::error::try_again) {
      writing_ = true;
      socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](const error_code &failure) {
        self->writing_ = false;
        if (self->state_ == State::kClosed) return;
        if (failure) return self->close();
        self->flush();
      });
      return;
    }
    if (error) return close();
    out_at_ += bytes;
  }
  all_sent();
}

void Session::flush_tls() {
  if (out_head_.empty() && out_.empty()) return all_sent();
  writing_ = true;
  auto bytes = std::make_shared<std::string>(std::move(out_head_) + out_);
  out_head_.clear();
  out_.clear();
  asio::async_write(tls_->stream, asio::buffer(*bytes),
                    [self = shared_from_this(), bytes](const error_code &error, std::size_t) {
                      self->writing_ = false;
                      if (self->state_ == State::kClosed) return;
                      if (error) return self->close();
                      self->flush();  // the deadline is that of what is left
                    });
}

void Session::all_sent() {
  out_head_ = std::string();
  out_ = std::string();
  out_at_ = 0;
  deadline_.reset();
  if (state_ == State::kStreaming) {
    if (!std::exchange(behind_, false)) return;
    return asio::post(loop_.context, [weak = std::weak_ptr<Exchange>(exchange_)] {
      const auto exchange = weak.lock();
      if (exchange && exchange->drained) exchange->drained();
    });
  }
  if (last_) return linger();
  state_ = State::kIdle;
  started_ = Clock::now();
  deadline_ = started_ + loop_.options.idle_timeout;
  if (pumping_) return;  // the caller goes on
  pump();
  watch();
}

// Reads away what the client still sends, so that the answer is not lost with a reset.
void Session::linger() {
  if (peer_done_) return close();
  state_ = State::kLinger;
  deadline_ = Clock::now() + kLinger;
  error_code error;
  if (!tls_) socket_.shutdown(tcp::socket::shutdown_send, error);
  watch();
}

void Session::open_stream(Exchange &exchange, Form form) {
  if (exchange_.get() != &exchange || state_ != State::kWorking) return;
  grace_.reset();
  parts_ = form != Form::kEndless;
  chunked_ = form == Form::kChunks && http_1_1_;
  behind_ = false;
  state_ = State::kStreaming;
  streamed_ = 0;
  out_head_.clear();
  last_ = last_ || !keep_alive_ || loop_.closing || !parts_ || !http_1_1_;
  out_ = stream_head_of(exchange.response, chunked_, last_);
  out_at_ = 0;
  if (!parts_) in_ = std::string();
  flush();
}

// What the kernel has taken is kept no longer.
void Session::forget_sent() {
  if (tls_ || out_at_ < out_head_.size()) return;
  out_.erase(0, out_at_ - out_head_.size());
  out_head_.clear();
  out_at_ = 0;
}

bool Session::send_part(std::string_view bytes) {
  if (state_ != State::kStreaming || bytes.empty()) return true;
  forget_sent();
  out_ += chunked_ ? chunk_of(bytes) : std::string(bytes);
  streamed_ += bytes.size();
  flush();
  const bool keeps_up = state_ != State::kStreaming || out_.size() - std::min(out_.size(), out_at_) < kMaxBehind;
  behind_ = !keeps_up;
  return keeps_up;
}

void Session::end_parts(Exchange &exchange) {
  if (exchange_.get() != &exchange || state_ != State::kStreaming) return;
  log(exchange, exchange.response.status, streamed_);
  exchange_.reset();
  forget_sent();
  if (chunked_) out_ += "0\r\n\r\n";
  state_ = State::kWriting;
  last_ = last_ || loop_.closing;
  flush();
}

bool Session::stream(std::string_view bytes) {
  if (state_ != State::kStreaming) return false;
  if (out_.size() + bytes.size() > loop_.options.max_stream) {
    spdlog::info("{} does not read its events: closed", peer_);
    close();
    return false;
  }
  out_.append(bytes);
  streamed_ += bytes.size();
  flush();
  return state_ == State::kStreaming;
}

bool Session::overdue(Clock::time_point now) const {
  if (!deadline_) return false;
  const bool body = state_ == State::kBody && parser_;
  return now >= *deadline_ + (body ? at_rate(parser_->body_bytes(), kSlowestBody) : std::chrono::milliseconds(0));
}

void Session::give_up() {
  if (state_ == State::kHead || state_ == State::kBody) {
    return refuse(FramingError(408, "The request did not arrive in time"));
  }
  close();
}

void Session::drain() {
  last_ = true;
  error_code error;
  if (state_ == State::kReceiving) return close();  // an upload goes on elsewhere, where it ended here
  const bool silent = state_ == State::kIdle && in_.empty() && socket_.available(error) == 0;
  if (state_ == State::kHandshake || silent) close();
}

void Session::close() {
  if (state_ == State::kClosed) return;
  const auto self = shared_from_this();
  const bool streaming = state_ == State::kStreaming;
  state_ = State::kClosed;
  deadline_.reset();
  grace_.reset();
  parser_.reset();
  error_code error;
  socket_.close(error);
  if (const auto left = std::move(exchange_)) {
    exchange_.reset();
    log(*left, streaming ? left->response.status : kClientLeft, streaming ? streamed_ : 0);
    if (left->abandoned) std::exchange(left->abandoned, nullptr)();
  }
}

std::chrono::microseconds Session::time_taken() const {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - started_);
}

void Session::log(const Exchange &exchange, int status, std::size_t bytes) const {
  if (!loop_.options.log_requests) return;
  const httplib::Request &request = exchange.request;
  log_request({exchange.trace, peer_, request.method, request.path, status, time_taken(),
               request.body.size() + received_, bytes, exchange.sqlstate, ""});
}

}  // namespace nexus::bridge::net
