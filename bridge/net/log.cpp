#include "bridge/net/log.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <cstdio>
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>

namespace nexus::bridge::net {
namespace {

constexpr const char *kRequests = "requests";
bool as_json = true;  // set once, before any thread starts

std::string json_text(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string milliseconds(std::chrono::microseconds time) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3f", static_cast<double>(time.count()) / 1000);
  return text.data();
}

// {"time":"...","level":"...","message":"..."}; the lines of requests bring their members with them.
class JsonFormatter : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg &message, spdlog::memory_buf_t &out) override {
    using std::chrono::duration_cast;
    const auto since = message.time.time_since_epoch();
    const std::time_t seconds = duration_cast<std::chrono::seconds>(since).count();
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    std::array<char, 32> time{};
    std::strftime(time.data(), time.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    std::array<char, 48> stamp{};
    std::snprintf(stamp.data(), stamp.size(), "%s.%03dZ", time.data(),
                  static_cast<int>(duration_cast<std::chrono::milliseconds>(since).count() % 1000));
    const auto level = spdlog::level::to_string_view(message.level);
    const std::string_view payload(message.payload.data(), message.payload.size());
    const bool request = std::string_view(message.logger_name.data(), message.logger_name.size()) == kRequests;
    std::string line = std::string("{\"time\":\"") + stamp.data() + "\",\"level\":\"";
    line.append(level.data(), level.size()).append("\",");
    line += request ? std::string(payload) : "\"message\":" + json_text(payload);
    line += "}\n";
    out.append(line.data(), line.data() + line.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonFormatter>(); }
};

}  // namespace

std::string json_members(const RequestLine &line) {
  const Trace &trace = line.trace;
  std::string text =
      "\"request_id\":" + json_text(trace.request_id) + ",\"traceparent\":\"" + trace.traceparent() + '"';
  if (!trace.parent_id.empty()) text += ",\"parent_id\":\"" + trace.parent_id + '"';
  text += ",\"client\":" + json_text(line.client) + ",\"method\":" + json_text(line.method) +
          ",\"path\":" + json_text(line.path) + ",\"status\":" + std::to_string(line.status) +
          ",\"duration_ms\":" + milliseconds(line.duration) + ",\"bytes_in\":" + std::to_string(line.bytes_in) +
          ",\"bytes\":" + std::to_string(line.bytes);
  if (!line.sqlstate.empty()) text += ",\"sqlstate\":" + json_text(line.sqlstate);
  if (!line.reason.empty()) text += ",\"reason\":" + json_text(line.reason);
  return text;
}

std::string log_text(const RequestLine &line) {
  std::string text(line.client);
  text.append(" ").append(line.method).append(" ").append(line.path).append(" ") += std::to_string(line.status);
  text += " " + milliseconds(line.duration) + " ms " + std::to_string(line.bytes) + " bytes";
  if (!line.sqlstate.empty()) text.append(" ").append(line.sqlstate);
  if (!line.reason.empty()) text.append(" (").append(line.reason).append(")");
  return text + " " + line.trace.request_id;
}

void start_log(bool json, const std::string &level) {
  as_json = json;
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  if (json) {
    sink->set_formatter(std::make_unique<JsonFormatter>());
  } else {
    sink->set_formatter(
        std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc));
  }
  // Where it was set before, as in tests, it is set anew.
  spdlog::drop(kRequests);
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("bridge", sink));
  spdlog::register_logger(std::make_shared<spdlog::logger>(kRequests, sink));
  spdlog::set_level(spdlog::level::from_str(level));
}

void log_request(const RequestLine &line) {
  static const std::shared_ptr<spdlog::logger> log = spdlog::get(kRequests);
  if (log && log->should_log(spdlog::level::info)) log->info("{}", as_json ? json_members(line) : log_text(line));
}

}  // namespace nexus::bridge::net
