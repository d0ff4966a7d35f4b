#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bridge/publisher/address_guard.hpp"

namespace nexus::publisher {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Call {
  std::string method = "GET";
  std::string url;
  Headers headers;
  std::string body;
  std::chrono::milliseconds timeout{20000};  ///< for all of it: resolution excepted
  std::size_t max_response = std::size_t{1} << 20;
  /// Asked every 50 ms from connecting on; true ends the request where it is. Empty: nothing ends it but time.
  std::function<bool()> stop;
};

/// What became of a request. The difference between kNotSent and kCut decides whether a post may be sent again.
struct Exchange {
  enum class State {
    kRefused,   ///< by our own rules; nothing was sent
    kNotSent,   ///< no byte of the request left
    kCut,       ///< the request may have arrived, there is no complete answer
    kAnswered,  ///< there is
  } state = State::kNotSent;
  int status = 0;
  Headers headers;
  std::string body;
  std::string error;  ///< in words, for all but kAnswered

  bool ok() const { return state == State::kAnswered && status >= 200 && status < 300; }
  /// The first header of that name, without regard to case; empty where there is none.
  std::string header(const std::string &name) const;
};

/// One request over a connection of its own: TLS verified, the address checked, no redirects followed, one deadline
/// over all of it, answers of bounded size, and never a second try: whoever calls knows whether that is safe.
class HttpClient {
 public:
  /// `ca_file`: certificates to trust besides the system's; empty: none. Throws std::runtime_error.
  HttpClient(AddressGuard guard, const std::string &ca_file);
  ~HttpClient();
  HttpClient(const HttpClient &) = delete;
  HttpClient &operator=(const HttpClient &) = delete;

  Exchange run(const Call &call) const;

 private:
  struct Tls;
  AddressGuard guard_;
  std::unique_ptr<Tls> tls_;
};

}  // namespace nexus::publisher
