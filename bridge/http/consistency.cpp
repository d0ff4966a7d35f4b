#include "bridge/http/consistency.hpp"

#include <httplib.h>

#include <array>
#include <cctype>
#include <cstdio>

#include "bridge/http/plan.hpp"
#include "bridge/http/text.hpp"

namespace nexus::bridge {
namespace {

constexpr std::uint32_t kPgLsn = 3220;
constexpr std::size_t kDigits = 8;  // of one half at most

std::ptrdiff_t behind_begin(const Script &script) {
  return script.implicit_transaction ? 0 : 1;
}

std::optional<std::uint64_t> half_of(std::string_view digits) {
  if (digits.empty() || digits.size() > kDigits) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : digits) {
    if (std::isxdigit(static_cast<unsigned char>(c)) == 0) return std::nullopt;
    value = value * 16 + static_cast<std::uint64_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return value;
}

}  // namespace

std::optional<std::uint64_t> parse_position(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto high = half_of(text.substr(0, slash)), low = half_of(text.substr(slash + 1));
  if (!high || !low) return std::nullopt;
  return *high << 32 | *low;
}

std::string position_text(std::uint64_t position) {
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "%X/%X", static_cast<unsigned>(position >> 32),
                static_cast<unsigned>(position & 0xFFFFFFFFU));
  return text.data();
}

// Behind COMMIT on the same connection, so that the commit is before it; the position of what is inserted, so that this
// holds without synchronous_commit as well.
void ask_for_position(Script &script) {
  Stage stage;
  stage.statement.sql = "SELECT pg_catalog.pg_current_wal_insert_lsn()::text";
  stage.step = Step::kEnd;
  stage.wanted = true;
  script.stages.push_back(std::move(stage));
}

std::string take_position(Outcome &outcome) {
  if (outcome.rows.empty() || outcome.rows.back().empty()) return "";
  std::string position = outcome.rows.back()[0][0].value_or("");
  outcome.rows.pop_back();
  return position;
}

void write_position(const std::string &position, httplib::Response &response) {
  if (!position.empty()) response.set_header(kConsistencyToken, position);
}

void let_replicas_run(const httplib::Request &request, Script &script) {
  const auto tokens = header_values(request, kConsistencyToken);
  script.for_replica = true;
  for (const auto &text : tokens) {
    for (const auto &token : split_trimmed(text, ',')) {
      if (token == "latest") {
        script.for_replica = false;
        continue;
      }
      const auto position = parse_position(token);
      if (!position) {
        throw HttpError(400, "NX032", std::string(kConsistencyToken) + " holds no position of the log")
            .with_hint("Send back what an answer had in this header, or the word latest.");
      }
      script.since = std::max(script.since.value_or(0), *position);
    }
  }
}

void guard_position(Script &script) {
  if (!script.since) return;
  Stage guard;
  const std::string place = guard.statement.bind(position_text(*script.since), kPgLsn);
  guard.statement.sql = "SELECT 1 / (CASE WHEN pg_catalog.pg_last_wal_replay_lsn() >= " + place + " THEN 1 ELSE 0 END)";
  guard.step = Step::kBegin;
  script.stages.insert(script.stages.begin() + behind_begin(script), std::move(guard));
}

void unguard_position(Script &script) {
  if (script.since) script.stages.erase(script.stages.begin() + behind_begin(script));
}

}  // namespace nexus::bridge
