#include "bridge/net/front.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <thread>

#include "bridge/http/answer.hpp"
#include "bridge/http/error.hpp"
#include "bridge/net/framing.hpp"

namespace nexus::bridge::net {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kBacklog = 4096;
constexpr auto kLinger = std::chrono::seconds(2);
constexpr auto kWelcome = std::chrono::milliseconds(500);
constexpr std::size_t kLingerBytes = std::size_t{16} << 20;
constexpr std::size_t kSlowestBody = 10240;  // bytes a second
constexpr const char *kConstantHead = "GET / HTTP/1.1\r\n\r\n";

enum class Wait { kReady, kTimeout, kReleased };

// One accepted socket: bytes with deadlines.
class Wire {
 public:
  Wire(int fd, const std::atomic<bool> &aborting) : fd_(fd), aborting_(aborting) {}

  std::string buffer;

  // Waits for bytes; `release`, if given, ends the wait early.
  Wait wait(short events, Clock::time_point deadline, const Signal *release = nullptr) const {
    while (!aborting_) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
      if (left <= 0) return Wait::kTimeout;
      std::array<pollfd, 2> watched{pollfd{fd_, events, 0}, pollfd{release == nullptr ? -1 : release->fd(), POLLIN, 0}};
      const int ready = poll(watched.data(), watched.size(), static_cast<int>(std::min<long long>(left, 1000)));
      if (ready < 0 && errno != EINTR) return Wait::kTimeout;
      if (ready > 0 && watched[0].revents != 0) return Wait::kReady;
      if (ready > 0 && watched[1].revents != 0) return Wait::kReleased;
    }
    return Wait::kTimeout;
  }

  // Appends what arrives; false at the end of the stream.
  bool read_some(Clock::time_point deadline) {
    if (wait(POLLIN, deadline) != Wait::kReady) throw FramingError(408, "The request did not arrive in time");
    std::array<char, 16384> bytes{};
    const ssize_t n = recv(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (n <= 0) return false;
    buffer.append(bytes.data(), static_cast<std::size_t>(n));
    return true;
  }

  bool write_all(std::string_view bytes, Clock::time_point deadline) const {
    while (!bytes.empty()) {
      const ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(n));
      } else if ((errno != EAGAIN && errno != EINTR) || wait(POLLOUT, deadline) != Wait::kReady) {
        return false;
      }
    }
    return true;
  }

  // Reads away what the client still sends, so that the answer is not lost with a reset.
  void linger() const {
    ::shutdown(fd_, SHUT_WR);
    const auto deadline = Clock::now() + kLinger;
    std::array<char, 65536> bytes{};
    for (std::size_t total = 0; total < kLingerBytes && wait(POLLIN, deadline) == Wait::kReady;) {
      const ssize_t n = recv(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT);
      if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return;
      if (n > 0) total += static_cast<std::size_t>(n);
    }
  }

 private:
  int fd_;
  const std::atomic<bool> &aborting_;
};

// What cpp-httplib writes its answer to. Its parser sees a constant head: the real one has been parsed.
class AnswerStream : public httplib::Stream {
 public:
  AnswerStream(std::string &out, std::size_t limit) : out_(out), limit_(limit) {}

  bool is_readable() const override { return !in_.empty(); }
  bool is_writable() const override { return true; }
  ssize_t read(char *bytes, std::size_t size) override {
    const std::size_t n = std::min(size, in_.size());
    std::memcpy(bytes, in_.data(), n);
    in_.remove_prefix(n);
    return static_cast<ssize_t>(n);
  }
  ssize_t write(const char *bytes, std::size_t size) override {
    if (size > limit_ - out_.size()) return -1;
    out_.append(bytes, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string &, int &) const override {}
  void get_local_ip_and_port(std::string &, int &) const override {}
  socket_t socket() const override { return 0; }

 private:
  std::string_view in_ = kConstantHead;
  std::string &out_;
  std::size_t limit_;
};

// False when the client left before it sent anything.
bool read_head(Wire &wire, std::chrono::seconds timeout, Head &head) {
  const auto deadline = Clock::now() + timeout;
  std::size_t searched = 0;
  while (true) {
    // RFC 9112, 2.2: an empty line before the request line is skipped.
    if (wire.buffer.compare(0, 2, "\r\n") == 0) wire.buffer.erase(0, 2);
    const std::size_t end = wire.buffer.find("\r\n\r\n", searched);
    if (end <= kMaxHead) {
      head = parse_head(std::string_view(wire.buffer).substr(0, end));
      wire.buffer.erase(0, end + 4);
      return true;
    }
    if (wire.buffer.size() > kMaxHead) {
      const bool in_first_line = wire.buffer.find("\r\n") > kMaxUri;
      throw in_first_line ? FramingError(414, "The request target is too long")
                          : FramingError(431, "The header fields are too long");
    }
    searched = wire.buffer.size() < 3 ? 0 : wire.buffer.size() - 3;
    if (wire.buffer.find("\n\n") != std::string::npos) throw FramingError(400, "A line must end with CR LF");
    if (!wire.read_some(deadline)) {
      if (wire.buffer.empty()) return false;
      throw FramingError(400, "The request is incomplete");
    }
  }
}

std::string read_body(Wire &wire, const Head &head, const FrontOptions &options) {
  if (head.content_length > options.max_body) throw FramingError(413, "The body is too large");
  if (head.expects_continue && wire.buffer.empty() && (head.chunked || head.content_length > 0)) {
    wire.write_all("HTTP/1.1 100 Continue\r\n\r\n", Clock::now() + options.head_timeout);
  }
  const auto start = Clock::now();
  auto deadline = [&](std::size_t received) {
    return start + options.head_timeout + std::chrono::milliseconds(received * 1000 / kSlowestBody);
  };
  std::string body;
  if (head.chunked) {
    ChunkedBody chunked(options.max_body);
    while (!chunked.take(wire.buffer)) {
      if (!wire.read_some(deadline(chunked.body.size()))) throw FramingError(400, "The body is incomplete");
    }
    body = std::move(chunked.body);
  } else {
    while (wire.buffer.size() < head.content_length) {
      if (!wire.read_some(deadline(wire.buffer.size()))) throw FramingError(400, "The body is incomplete");
    }
    body = wire.buffer.substr(0, head.content_length);
    wire.buffer.erase(0, head.content_length);
  }
  return body;
}

std::string framing_answer(const FramingError &error) {
  const std::string body = error_body(HttpError(error.status, "HTTP" + std::to_string(error.status), error.message));
  return "HTTP/1.1 " + std::to_string(error.status) + " " + reason_phrase(error.status) +
         "\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\nConnection: close\r\n\r\n" + body;
}

std::string http_date() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 40> text{};
  std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return text.data();
}

// What cpp-httplib adds by itself and this server does not mean.
void tidy_headers(const httplib::Request &request, httplib::Response &response) {
  response.headers.erase("Keep-Alive");
  response.headers.erase("Accept-Ranges");
  if (request.method == "HEAD" || response.status == 204) response.headers.erase("Content-Length");
  if (response.status == 204) response.headers.erase("Content-Type");
  response.set_header("Date", http_date());
}

std::string remote_address(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (getpeername(socket, reinterpret_cast<sockaddr *>(&address), &size) != 0) return "";
  const void *bytes = address.ss_family == AF_INET6
                          ? static_cast<const void *>(&reinterpret_cast<sockaddr_in6 *>(&address)->sin6_addr)
                          : &reinterpret_cast<sockaddr_in *>(&address)->sin_addr;
  return inet_ntop(address.ss_family, bytes, text.data(), text.size()) == nullptr ? "" : text.data();
}

}  // namespace

Front::Front(FrontOptions options, Handle handle) : options_(std::move(options)), handle_(std::move(handle)) {
  new_task_queue = [this] { return new WorkQueue(options_.threads, options_.queue, release_, waiting_); };
  // Without SO_REUSEPORT, which cpp-httplib would set: a second process on the port is a mistake to be told.
  set_socket_options([](socket_t socket) {
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  set_pre_routing_handler([this](const httplib::Request &request, httplib::Response &response) {
    try {
      handle_(request, response);
    } catch (const std::exception &error) {
      spdlog::error("{} {}: {}", request.method, request.path, error.what());
      response = httplib::Response();
      write_error(HttpError(500, "XX000", "internal error of the bridge"), options_.error_proxy, response);
    }
    return HandlerResponse::Handled;
  });
  set_post_routing_handler(
      [](const httplib::Request &request, httplib::Response &response) { tidy_headers(request, response); });
}

int Front::open(const std::string &host, int port) {
  if (port == 0) {
    port = bind_to_any_port(host);
  } else if (!bind_to_port(host, port)) {
    port = -1;
  }
  if (port > 0 && ::listen(svr_sock_, kBacklog) != 0) return -1;
  return port;
}

void Front::serve() {
  listen_after_bind();
  served_ = true;
}

void Front::close() {
  closing_ = true;
  release_.hold();
  // stop() would do nothing, and serve() never end, before it has begun.
  while (!is_running() && !served_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  stop();
}

bool Front::process_and_close_socket(socket_t socket) {
  try {
    serve_connection(socket);
  } catch (const std::exception &error) {
    spdlog::error("connection dropped: {}", error.what());
  }
  ::close(socket);
  return true;
}

void Front::serve_connection(socket_t socket) {
  const int yes = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  const std::string peer = remote_address(socket);
  Wire wire(socket, aborting_);
  for (bool first = true, last = false; !last; first = false) {
    // A connection without a request holds its worker only while nobody else wants it; a new one gets a moment.
    if (wire.buffer.empty()) {
      if (!first && closing_) return;
      Wait woken = first ? wire.wait(POLLIN, Clock::now() + kWelcome) : Wait::kTimeout;
      if (woken == Wait::kTimeout) {
        woken = wire.wait(POLLIN, Clock::now() + (first ? options_.head_timeout : options_.idle_timeout), &release_);
      }
      if (woken == Wait::kTimeout) return;
      if (woken == Wait::kReleased) {
        if (closing_ || release_.take()) return;
        continue;
      }
    }
    const auto start = Clock::now();
    Head head;
    std::string body;
    try {
      if (!read_head(wire, options_.head_timeout, head)) return;
      body = read_body(wire, head, options_);
    } catch (const FramingError &error) {
      spdlog::info("{} refused: {} {}", peer, error.status, error.message);
      wire.write_all(framing_answer(error), Clock::now() + options_.write_timeout);
      return wire.linger();
    }
    last = !head.keep_alive || closing_ || waiting_ > 0;
    httplib::Request request;
    request.method = std::move(head.method);
    request.target = std::move(head.target);
    request.path = std::move(head.path);
    request.headers = std::move(head.headers);
    request.body = std::move(body);
    request.remote_addr = peer;
    const std::string label = request.method + " " + request.path;
    const std::string out = answer(std::move(request), last);
    const bool sent = !out.empty() && wire.write_all(out, Clock::now() + options_.write_timeout);
    spdlog::info("{} {} {} {} us", peer, label, out.substr(9, 3),
                 std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start).count());
    if (!sent) return;
  }
  ::shutdown(socket, SHUT_WR);
}

std::string Front::answer(httplib::Request &&request, bool last) {
  std::string out;
  AnswerStream stream(out, options_.max_response);
  bool closed = false;
  const bool whole = process_request(stream, last, closed, [&](httplib::Request &parsed) {
    parsed.method = std::move(request.method);
    parsed.target = std::move(request.target);
    parsed.path = std::move(request.path);
    parsed.headers = std::move(request.headers);
    // These two act on cpp-httplib itself, which would compress, or close as it thinks right.
    parsed.headers.erase("Accept-Encoding");
    parsed.headers.erase("Connection");
    parsed.body = std::move(request.body);
    parsed.remote_addr = std::move(request.remote_addr);
  });
  if (whole) return out;
  const std::string body = error_body(answer_too_large());
  return "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
}

}  // namespace nexus::bridge::net
