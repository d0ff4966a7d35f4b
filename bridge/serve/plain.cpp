#include "bridge/serve/plain.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cstring>

namespace nexus::bridge::serve {
namespace {

// What cpp-httplib writes its answer to. Its parser sees a constant head: the real one has been parsed.
class AnswerStream : public httplib::Stream {
 public:
  explicit AnswerStream(std::string &out) : out_(out) {}

  bool is_readable() const override { return !in_.empty(); }
  bool is_writable() const override { return true; }
  ssize_t read(char *bytes, std::size_t size) override {
    const std::size_t n = std::min(size, in_.size());
    std::memcpy(bytes, in_.data(), n);
    in_.remove_prefix(n);
    return static_cast<ssize_t>(n);
  }
  ssize_t write(const char *bytes, std::size_t size) override {
    out_.append(bytes, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string &, int &) const override {}
  void get_local_ip_and_port(std::string &, int &) const override {}
  socket_t socket() const override { return 0; }

 private:
  std::string_view in_ = "GET / HTTP/1.1\r\n\r\n";
  std::string &out_;
};

}  // namespace

Plain::Plain(std::size_t threads) : threads_(threads) {
  svr_sock_ = 0;  // the value it starts with means "shutting down" to content providers
  set_post_routing_handler([](const httplib::Request &request, httplib::Response &response) {
    response.headers.erase("Keep-Alive");
    response.headers.erase("Accept-Ranges");
    if (request.method == "HEAD") response.headers.erase("Content-Length");
  });
}

Plain::~Plain() {
  threads_.join();
}

void Plain::run(net::Loop &loop, net::Parking &parking, const std::shared_ptr<net::Exchange> &exchange) {
  auto request = std::make_shared<httplib::Request>(exchange->request);
  boost::asio::post(threads_, [this, &loop, &parking, request, number = parking.park(exchange)] {
    std::string bytes = answer(*request);
    boost::asio::post(loop.context, [&parking, number, bytes = std::move(bytes)]() mutable {
      if (const auto parked = parking.take(number)) parked->answer_with(std::move(bytes));
    });
  });
}

std::string Plain::answer(httplib::Request &request) {
  std::string out;
  AnswerStream stream(out);
  bool closed = false;
  process_request(stream, true, closed, [&](httplib::Request &parsed) {
    parsed.method = request.method;
    parsed.target = request.target;
    parsed.path = request.path;
    parsed.headers = request.headers;
    // These two act on cpp-httplib itself, which would compress, or close as it thinks right.
    parsed.headers.erase("Accept-Encoding");
    parsed.headers.erase("Connection");
    parsed.headers.erase("Range");
    parsed.body = request.body;
    parsed.remote_addr = request.remote_addr;
  });
  return out;
}

}  // namespace nexus::bridge::serve
