#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bridge/http/script.hpp"

namespace httplib {
struct Request;
struct Response;
}  // namespace httplib

namespace nexus::bridge {

/// The header that says how far the database's log had come when a call had written, and how far a replica must have
/// come to be asked: whoever sends it back reads what they wrote.
constexpr const char *kConsistencyToken = "Consistency-Token";

/// A position in the log of PostgreSQL; nothing where the text is none.
///
///     parse_position("16/B374D848") == 0x16B374D848
std::optional<std::uint64_t> parse_position(std::string_view text);

/// The same as text.
///
///     position_text(0x16B374D848) == "16/B374D848"
std::string position_text(std::uint64_t position);

/// Adds the question for the position behind the transaction; take_position() takes the answer from the outcome.
void ask_for_position(Script &script);
std::string take_position(Outcome &outcome);

/// Puts a position into the header of an answer; an empty one leaves it as it is.
void write_position(const std::string &position, httplib::Response &response);

/// Marks a script that only reads as one that a replica may run, from the position on that the request's token names.
/// The token "latest" wants the primary. Throws 400 where it is neither.
void let_replicas_run(const httplib::Request &request, Script &script);

/// The script as a replica runs it: it fails before all else where the replica has not come so far.
void guard_position(Script &script);
void unguard_position(Script &script);

}  // namespace nexus::bridge
