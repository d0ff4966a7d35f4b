#include "bridge/serve/line_stream.hpp"

namespace nexus::bridge::serve {
namespace {

constexpr std::size_t kAtOnce = std::size_t{16} << 10;  // bytes

}  // namespace

bool LineStream::add(std::string_view line) {
  gathered_.append(line).append("\n");
  return gathered_.size() < kAtOnce || flush();
}

bool LineStream::flush() {
  if (gathered_.empty()) return true;
  if (!open_) {
    open_ = true;
    write_head_();
    exchange_->open_parts();
  }
  const std::string bytes = std::move(gathered_);
  gathered_.clear();
  return exchange_->send_part(bytes);
}

void LineStream::finish() {
  if (open_) {
    flush();
    return exchange_->end_parts();
  }
  write_head_();
  exchange_->response.body = std::move(gathered_);
  exchange_->answer();
}

}  // namespace nexus::bridge::serve
