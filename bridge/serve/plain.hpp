#pragma once

#include <httplib.h>

#include <boost/asio/thread_pool.hpp>
#include <memory>

#include "bridge/net/exchange.hpp"
#include "bridge/net/loop.hpp"

namespace nexus::bridge::serve {

/// Plain cpp-httplib handlers, set by Get() and the like, on a few threads of their own: what may block goes here.
/// Requests come parsed from the loop, so cpp-httplib neither listens nor reads.
class Plain : public httplib::Server {
 public:
  explicit Plain(std::size_t threads);
  ~Plain() override;

  /// Answers an exchange of that loop, whose service has `parking`.
  void run(net::Loop &loop, net::Parking &parking, const std::shared_ptr<net::Exchange> &exchange);

  /// Waits for what runs.
  void join() { threads_.join(); }

 private:
  std::string answer(httplib::Request &request);

  boost::asio::thread_pool threads_;
};

/// A port whose requests are all for plain handlers.
class PlainService : public net::Service {
 public:
  PlainService(net::Loop &loop, Plain &plain) : loop_(loop), plain_(plain) {}
  void serve(const std::shared_ptr<net::Exchange> &exchange) override { plain_.run(loop_, parking_, exchange); }

 private:
  net::Loop &loop_;
  Plain &plain_;
  net::Parking parking_;
};

}  // namespace nexus::bridge::serve
