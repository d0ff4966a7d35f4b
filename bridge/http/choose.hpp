#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bridge/http/catalogue.hpp"

namespace nexus::bridge {

/// How a request gives its arguments.
struct Given {
  std::vector<std::string> names;
  bool json_body = false;  ///< the whole JSON body may be the one unnamed json or jsonb argument
  std::string raw_type;    ///< "text", "xml" or "bytea": the body is the one unnamed argument; else empty
};

struct Choice {
  const Function *function = nullptr;
  bool whole_body = false;  ///< the body is the one unnamed argument
};

/// Picks the function that takes exactly these arguments. Throws 404 PGRST202 with a hint, 300 PGRST203.
///
///     choose_function(catalogue, "test", "add_them", {{"a", "b"}}).function->name == "add_them"
Choice choose_function(const Catalogue &catalogue, const std::string &schema, const std::string &name,
                       const Given &given);

/// The candidate nearest to a text by common n-grams and edit distance; nothing when none is near.
std::optional<std::string> nearest(const std::string &text, const std::vector<std::string> &candidates);

}  // namespace nexus::bridge
