#include "bridge/net/exchange.hpp"

#include <cstdlib>
#include <utility>

#include "bridge/net/reply.hpp"
#include "bridge/net/session.hpp"

namespace nexus::bridge::net {

Exchange::Exchange(std::shared_ptr<Session> session, httplib::Request &&request)
    : request(std::move(request)), trace(trace_of(this->request)), session_(std::move(session)) {
  // What the database and its logs see of the request is part of the trace.
  this->request.headers.erase("traceparent");
  this->request.headers.emplace("traceparent", trace.traceparent());
  if (!this->request.has_header("X-Request-Id")) this->request.headers.emplace("X-Request-Id", trace.request_id);
}

void Exchange::add_request_id() {
  if (!response.has_header("X-Request-Id")) response.headers.emplace("X-Request-Id", trace.request_id);
}

void Exchange::answer() {
  Session &session = *session_;
  // a body that was not read to its end is in the way of the next request
  const bool unread = session.state_ == Session::State::kReceiving;
  session.last_ = session.last_ || !session.keep_alive_ || session.loop_.closing || unread;
  add_request_id();
  std::string head = head_of(request, response, session.last_);
  std::string body = without_body(request, response) ? std::string() : std::move(response.body);
  session.respond(*this, response.status, std::move(head), std::move(body));
}

void Exchange::answer_with(std::string bytes) {
  session_->last_ = true;
  const int status = std::atoi(bytes.substr(0, 12).substr(9).c_str());
  session_->respond(*this, status, std::move(bytes), "");
}

void Exchange::open_stream() {
  add_request_id();
  session_->open_stream(*this, Session::Form::kEndless);
}

bool Exchange::send(std::string_view bytes) {
  return session_->stream(bytes);
}

void Exchange::close_stream() {
  session_->close();
}

void Exchange::open_parts() {
  add_request_id();
  session_->open_stream(*this, Session::Form::kChunks);
}

void Exchange::open_sized() {
  if (session_->exchange_.get() != this) return tell_abandoned();
  add_request_id();
  session_->open_stream(*this, Session::Form::kSized);
}

// The client may have left before the service asked to be told.
void Exchange::tell_abandoned() {
  if (abandoned) std::exchange(abandoned, nullptr)();
}

void Exchange::read_body() {
  session_->read_body(*this);
}

bool Exchange::send_part(std::string_view bytes) {
  return session_->send_part(bytes);
}

void Exchange::end_parts() {
  session_->end_parts(*this);
}

}  // namespace nexus::bridge::net
