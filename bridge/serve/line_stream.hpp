#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "bridge/net/exchange.hpp"

namespace nexus::bridge::serve {

/// The rows of a reading on their way to a client, one JSON text a line. The head goes out with the first bytes: until
/// then an error can still be the answer. Used on the exchange's thread.
class LineStream {
 public:
  /// `write_head` fills the response before its head is sent.
  LineStream(std::shared_ptr<net::Exchange> exchange, std::function<void()> write_head)
      : exchange_(std::move(exchange)), write_head_(std::move(write_head)) {}

  /// One more line. False when the client does not keep up, see Exchange::send_part().
  bool add(std::string_view line);

  /// Sends what has gathered.
  bool flush();

  /// The reading is whole.
  void finish();

  /// Whether the head is out.
  bool open() const { return open_; }

 private:
  std::shared_ptr<net::Exchange> exchange_;
  std::function<void()> write_head_;
  std::string gathered_;
  bool open_ = false;
};

}  // namespace nexus::bridge::serve
