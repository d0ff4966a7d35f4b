#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/http/query.hpp"

namespace nexus::bridge {

/// The values of the order's columns in the last row of a page, as text; nothing is null.
using PageKey = std::vector<std::optional<std::string>>;

/// Where a page ends, for the next one: the function and the order that it belongs to, and the key. Opaque to clients,
/// no secret, and no more than a filter that they could write themselves.
std::string page_token(const std::string &function, const std::vector<OrderItem> &order, const PageKey &key);

/// The key in a token. Throws 400 PGRST100 where it is none of this function and order.
PageKey page_key(const std::string &token, const std::string &function, const std::vector<OrderItem> &order);

/// The target of a request with another page token in its query.
///
///     next_target("/rpc/posts?limit=2&page-token=a", "b") == "/rpc/posts?limit=2&page-token=b"
std::string next_target(std::string_view target, const std::string &token);

}  // namespace nexus::bridge
