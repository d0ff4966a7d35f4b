#include "bridge/ai/task_run.hpp"

#include <spdlog/spdlog.h>

#include <cstdlib>
#include <thread>

#include "bridge/http/json.hpp"
#include "bridge/pg/backoff.hpp"

namespace nexus::ai {
namespace {

using bridge::pg::Backoff;
using publisher::Call;
using publisher::Clock;
using publisher::ConnectionLost;
using publisher::Exchange;
using publisher::SqlError;
using publisher::Value;
using std::chrono::milliseconds;
using Kind = Outcome::Kind;

constexpr milliseconds kLongestBackoff{1000};
// A paid answer is worth a wait: the database decides by the lease's token whether it still counts.
constexpr std::chrono::seconds kPatience{60};
constexpr std::size_t kMaxRequest = std::size_t{4} << 20;
constexpr int kMaxTries = 4;  // of a request that is made simpler each time
constexpr double kDefaultBlock = 60;
constexpr std::size_t kShortestKey = 8;  // what is shorter is no secret, and may stand in any text

// Some providers repeat the key in their errors.
void hide(std::string &text, const std::string &key) {
  if (key.size() < kShortestKey) return;
  for (std::size_t at = text.find(key); at != std::string::npos; at = text.find(key, at))
    text.replace(at, key.size(), "***");
}

}  // namespace

Dialect Memory::dialect(const Provider &provider) {
  const std::lock_guard lock(mutex_);
  return known_[key_of(provider)].dialect;
}

void Memory::learn(const Provider &provider, const Dialect &dialect) {
  const std::lock_guard lock(mutex_);
  known_[key_of(provider)].dialect = dialect;
}

milliseconds Memory::blocked_for(const Provider &provider) {
  const std::lock_guard lock(mutex_);
  const auto left = std::chrono::duration_cast<milliseconds>(known_[key_of(provider)].blocked_until - Clock::now());
  return std::max(left, milliseconds(0));
}

void Memory::block(const Provider &provider, double seconds) {
  const std::lock_guard lock(mutex_);
  auto &until = known_[key_of(provider)].blocked_until;
  until = std::max(until, Clock::now() + milliseconds(static_cast<long long>(seconds * 1000)));
}

void TaskRun::run() {
  Json task;
  try {
    const auto rows = database_.run("SELECT nexus.start_ai_task($1, $2)", job_.key());
    task = Json::parse(rows.at(0).at(0).value());
  } catch (const SqlError &error) {
    if (error.sqlstate == "NX002") {
      publisher::complete_job(database_, job_);
      return;
    }
    if (error.sqlstate != "NX020") throw;
    spdlog::warn("job {}: {}", job_.id, error.what());
    return;
  }
  const std::string type = task.value("task_type", "");
  if (!task.contains("provider") || !task["provider"].is_object()) {
    fail("rate_limited", "its AI provider is not there any more", 10);
    return;
  }
  const Provider provider = Provider::from(task["provider"]);
  const auto begun = Clock::now();
  const Outcome outcome = ask(task, provider);
  const std::string status = end(outcome, provider);
  const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - begun);
  spdlog::info("task {} {}: {}, {} after {} ms, {} + {} tokens{}{}", job_.ref_id, type, status, provider.name,
               took.count(), outcome.input_tokens, outcome.output_tokens,
               outcome.kind == Kind::kFault || outcome.kind == Kind::kFailure ? ": " : "", outcome.message);
  const bool answered = outcome.kind == Kind::kResult || outcome.kind == Kind::kFault;
  if (answered && !outcome.has_usage) spdlog::warn("the provider {} does not say what it used", provider.name);
}

Outcome TaskRun::ask(const Json &task, const Provider &provider) {
  Outcome outcome;
  if (const auto wait = tools_.memory.blocked_for(provider); wait.count() > 0) {
    outcome.failure_class = "rate_limited";
    outcome.message = "the provider " + provider.name + " wants to be left alone";
    outcome.retry_after = static_cast<double>(wait.count()) / 1000;
    return outcome;
  }
  Call call;
  call.method = "POST";
  call.url = provider.url();
  call.headers = {
      {"Content-Type", "application/json"}, {"Accept", "application/json"}, {"User-Agent", "nexus-ai-worker"}};
  const char *variable = std::getenv(provider.key_variable().c_str());
  const std::string key = variable == nullptr ? "" : variable;
  if (!key.empty()) {
    if (!bridge::header_is_clean("Authorization", key)) {
      outcome.failure_class = "auth";
      outcome.message = provider.key_variable() + " of the worker holds what no key can hold";
      return outcome;
    }
    call.headers.emplace_back("Authorization", "Bearer " + key);
  }
  call.timeout = tools_.settings.timeout;
  call.max_response = tools_.settings.max_response;
  call.stop = [this] { return is_unwanted(); };
  try {
    auto values = job_.key();
    values.emplace_back("10");
    values.emplace_back(publisher::interval_of(tools_.settings.lease));
    const auto rows = database_.run("SELECT nexus.progress_ai_task($1, $2, $3, $4)", values);
    if (rows.at(0).at(0).value_or("f") != "t") job_.cancelled = true;
  } catch (const SqlError &error) {
    if (error.sqlstate != "NX020") throw;
    job_.lost = true;
  }
  Dialect dialect = tools_.memory.dialect(provider);
  Exchange exchange;
  for (int i = 0; i < kMaxTries && !is_unwanted(); ++i) {
    call.body = request_body(task, provider, dialect, tools_.settings.max_tokens).dump();
    if (call.body.size() > kMaxRequest) {
      outcome.failure_class = "invalid";
      outcome.message = "prompt and parameters are too long";
      return outcome;
    }
    exchange = tools_.http.run(call);
    hide(exchange.body, key);
    const bool refused =
        exchange.state == Exchange::State::kAnswered && (exchange.status == 400 || exchange.status == 422);
    if (!refused || !dialect.adapt(error_text(exchange))) break;
    tools_.memory.learn(provider, dialect);
  }
  if (is_unwanted() && exchange.state != Exchange::State::kAnswered) {
    outcome.kind = Kind::kStopped;
    return outcome;
  }
  outcome = read_answer(exchange, provider);
  if (outcome.failure_class == "rate_limited") {
    tools_.memory.block(provider, outcome.retry_after.value_or(kDefaultBlock));
  }
  return outcome;
}

std::string TaskRun::end(const Outcome &outcome, const Provider &provider) {
  Backoff backoff(kLongestBackoff);
  const auto until = Clock::now() + kPatience;
  for (;;) {
    try {
      database_.open();
      return end_once(outcome, provider);
    } catch (const ConnectionLost &error) {
      if (Clock::now() > until && !job_.is_ours()) {
        spdlog::error("job {}: its answer is lost, the database does not come back: {}", job_.id, error.what());
        return "lost";
      }
      std::this_thread::sleep_for(backoff.next());
    } catch (const SqlError &error) {
      if (error.sqlstate != "NX020") throw;
      // Booked before the connection broke, or another worker's by now: the token says that it must not be done again.
      spdlog::warn("job {}: {}", job_.id, error.what());
      return "not ours any more";
    }
  }
}

std::string TaskRun::end_once(const Outcome &outcome, const Provider &provider) {
  switch (outcome.kind) {
    case Kind::kResult:
      try {
        return finish(outcome, provider);
      } catch (const SqlError &error) {
        // JSON that PostgreSQL does not store, such as \u0000: what it cost is booked, another attempt may do better.
        if (error.sqlstate.substr(0, 2) != "22") throw;
        Outcome unusable = outcome;
        unusable.kind = Kind::kFault;
        unusable.message = std::string("the answer cannot be stored: ") + error.what();
        return finish(unusable, provider);
      }
    case Kind::kFault:
      return finish(outcome, provider);
    case Kind::kStopped:
      if (job_.cancelled) return fail("transient", "cancelled while the provider was at work", std::nullopt);
      if (job_.lost) return "not ours any more";
      publisher::snooze_job(database_, job_, 0);
      return "given back";
    case Kind::kFailure:
      break;
  }
  return fail(outcome.failure_class, outcome.message, outcome.retry_after);
}

std::string TaskRun::finish(const Outcome &outcome, const Provider &provider) {
  auto values = job_.key();
  const bool is_result = outcome.kind == Kind::kResult;
  values.push_back(is_result ? Value(outcome.result) : std::nullopt);
  values.emplace_back(std::to_string(outcome.input_tokens));
  values.emplace_back(std::to_string(outcome.output_tokens));
  values.emplace_back(std::to_string(cost_micros(provider, outcome.input_tokens, outcome.output_tokens)));
  values.emplace_back(outcome.model.empty() ? provider.model : outcome.model);
  values.push_back(is_result ? std::nullopt : Value(outcome.message));
  const auto rows = database_.run("SELECT nexus.finish_ai_task($1, $2, $3, $4, $5, $6, $7, $8)", values);
  return rows.at(0).at(0).value_or("");
}

std::string TaskRun::fail(const std::string &failure_class, const std::string &message,
                          std::optional<double> retry_after) {
  auto values = job_.key();
  values.emplace_back(failure_class);
  values.emplace_back(message);
  values.push_back(retry_after ? Value(std::to_string(*retry_after) + " s") : std::nullopt);
  return database_.run("SELECT nexus.fail_ai_task($1, $2, $3, $4, $5)", values).at(0).at(0).value_or("");
}

}  // namespace nexus::ai
