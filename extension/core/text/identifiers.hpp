#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <string_view>

// Is a text, as a whole, an identifier of a kind? Syntax only: nothing is looked up anywhere.
namespace nexus::text {

/// `kind` is one of: hashtag, username, list (X's, with their sign), url, url_without_protocol (twitter-text's rules),
/// handle, did, atidentifier, aturi, nsid, tid, recordkey, language, datetime (the AT Protocol's). Any other is 22023.
///
///     is_valid("hashtag", "#1st")              // true
///     is_valid("handle", "john.test")          // true
///     is_valid("datetime", "1985-02-30T00:00:00Z")  // false: there is no such day
bool is_valid(std::string_view kind, std::string_view value);

bool is_handle(std::string_view value);
bool is_did(std::string_view value);
bool is_at_uri(std::string_view value);
bool is_nsid(std::string_view value);
bool is_tid(std::string_view value);
bool is_record_key(std::string_view value);

/// A well-formed BCP 47 tag in which no variant and no extension stands twice.
bool is_language(std::string_view value);

/// RFC 3339 with `T`, seconds and an offset; the day exists, and the instant is in the years 0 to 9999.
bool is_datetime(std::string_view value);

/// What twitter-text holds for a URL: http or https (unless `protocol` is false), user, host or IP address, port, path,
/// query, fragment; any top-level domain will do.
bool is_x_url(std::string_view value, bool protocol);

}  // namespace nexus::text
