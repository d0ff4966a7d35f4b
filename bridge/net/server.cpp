#include "bridge/net/server.hpp"

#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <atomic>
#include <boost/asio/post.hpp>
#include <stdexcept>

#include "bridge/net/session.hpp"

namespace nexus::bridge::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

constexpr int kBacklog = 4096;
constexpr auto kTick = std::chrono::milliseconds(250);
constexpr auto kPause = std::chrono::milliseconds(100);

}  // namespace

struct Server::Runner {
  explicit Runner(const SessionOptions &options)
      : loop(options),
        acceptor(loop.context),
        ticker(loop.context),
        pauser(loop.context),
        work(loop.context.get_executor()) {}

  Loop loop;
  tcp::acceptor acceptor;
  asio::steady_timer ticker, pauser;
  asio::executor_work_guard<asio::io_context::executor_type> work;
  std::atomic<std::size_t> open{0}, accepted{0};
  std::thread thread;
};

Server::Server(const SessionOptions &options, std::size_t loops, const MakeService &make_service) {
  for (std::size_t i = 0; i < loops; ++i) {
    runners_.push_back(std::make_unique<Runner>(options));
    runners_.back()->loop.service = make_service(runners_.back()->loop);
  }
}

Server::~Server() {
  try {
    stop();
  } catch (...) {  // of a destructor nobody could take it
  }
}

void Server::use_tls(const std::shared_ptr<asio::ssl::context> &context) {
  for (auto &runner : runners_) {
    asio::post(runner->loop.context, [loop = &runner->loop, context] { loop->tls = context; });
  }
}

int Server::open(const std::string &host, int port, bool share) {
  error_code error;
  const auto address = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, error);
  if (error) throw std::runtime_error("the host is no address");
  tcp::endpoint endpoint(address, static_cast<unsigned short>(port));
  if (!share && port != 0) {
    // Our loops share the port among each other, so the kernel would let anybody with the same wish in.
    tcp::acceptor alone(runners_.front()->loop.context, endpoint.protocol());
    alone.set_option(tcp::acceptor::reuse_address(true));
    alone.bind(endpoint);
    alone.listen(1);
  }
  for (auto &runner : runners_) {
    tcp::acceptor &acceptor = runner->acceptor;
    acceptor.open(endpoint.protocol());
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    acceptor.set_option(ReusePort(true));
    acceptor.bind(endpoint);
    acceptor.listen(kBacklog);
    acceptor.non_blocking(true);
    endpoint = acceptor.local_endpoint();
  }
  return endpoint.port();
}

void Server::change(const std::function<void(SessionOptions &)> &what) {
  for (auto &runner : runners_) {
    asio::post(runner->loop.context, [&loop = runner->loop, what] { what(loop.options); });
  }
}

void Server::start() {
  for (auto &runner : runners_) {
    asio::post(runner->loop.context, [this, &runner = *runner] {
      accept(runner);
      tick(runner);
    });
    runner->thread = std::thread([&context = runner->loop.context] {
      while (!context.stopped()) {
        try {
          context.run();
        } catch (const std::exception &error) {
          spdlog::error("in the event loop: {}", error.what());
        }
      }
    });
  }
}

void Server::accept(Runner &runner) {
  runner.acceptor.async_accept([this, &runner](const error_code &error, tcp::socket socket) {
    if (!runner.acceptor.is_open()) return;
    if (error) {
      // No descriptor is free: the connection stays in the backlog for a moment.
      spdlog::warn("cannot accept a connection: {}", error.message());
      return pause(runner);
    }
    ++runner.accepted;
    std::make_shared<Session>(runner.loop, std::move(socket))->start();
    runner.open = runner.loop.sessions.size();
    if (runner.loop.sessions.size() >= runner.loop.options.max_connections) return pause(runner);
    accept(runner);
  });
}

void Server::pause(Runner &runner) {
  runner.pauser.expires_after(kPause);
  runner.pauser.async_wait([this, &runner](const error_code &error) {
    if (error || !runner.acceptor.is_open()) return;
    if (runner.loop.sessions.size() >= runner.loop.options.max_connections) return pause(runner);
    accept(runner);
  });
}

void Server::tick(Runner &runner) {
  std::vector<std::shared_ptr<Session>> due;
  const auto now = Clock::now();
  for (Session *session : runner.loop.sessions) {
    if (session->overdue(now)) due.push_back(session->shared_from_this());
  }
  for (const auto &session : due) session->give_up();
  due.clear();
  runner.open = runner.loop.sessions.size();
  runner.ticker.expires_after(kTick);
  runner.ticker.async_wait([this, &runner](const error_code &error) {
    if (!error) tick(runner);
  });
}

void Server::drain() {
  for (auto &runner : runners_) {
    asio::post(runner->loop.context, [&runner = *runner] {
      Loop &loop = runner.loop;
      loop.closing = true;
      // What the kernel has accepted for us is served; closing the listener would reset it.
      error_code error;
      while (true) {
        tcp::socket socket(loop.context);
        runner.acceptor.accept(socket, error);
        if (error) break;
        std::make_shared<Session>(loop, std::move(socket))->start();
      }
      runner.acceptor.close(error);
      loop.service->drain();
      std::vector<std::shared_ptr<Session>> all;
      for (Session *session : loop.sessions) all.push_back(session->shared_from_this());
      for (const auto &session : all) session->drain();
      all.clear();
      runner.open = loop.sessions.size();
    });
  }
}

bool Server::wait(std::chrono::seconds limit) {
  const auto end = Clock::now() + limit;
  while (true) {
    std::atomic<std::size_t> left{0}, asked{0};
    for (auto &runner : runners_) {
      asio::post(runner->loop.context, [&] {
        left += runner->loop.sessions.size();
        ++asked;
      });
    }
    while (asked < runners_.size()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (left == 0) return true;
    if (Clock::now() >= end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

void Server::stop() {
  for (auto &runner : runners_) {
    if (!runner->thread.joinable()) continue;
    asio::post(runner->loop.context, [&runner = *runner] {
      error_code error;
      runner.acceptor.close(error);
      runner.ticker.cancel();
      runner.pauser.cancel();
      runner.loop.service->cancel_all();
      std::vector<std::shared_ptr<Session>> all;
      for (Session *session : runner.loop.sessions) all.push_back(session->shared_from_this());
      for (const auto &session : all) session->close();
      runner.work.reset();
      runner.loop.context.stop();
    });
    runner->thread.join();
  }
}

std::size_t Server::connections() const {
  std::size_t sum = 0;
  for (const auto &runner : runners_) sum += runner->open;
  return sum;
}

std::size_t Server::accepted() const {
  std::size_t sum = 0;
  for (const auto &runner : runners_) sum += runner->accepted;
  return sum;
}

}  // namespace nexus::bridge::net
