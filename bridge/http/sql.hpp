#pragma once

#include <string>
#include <vector>

#include "bridge/http/plan.hpp"

namespace nexus::bridge {

/// How an argument gets its value in the call: `sql` is "$1" or a column of the unpacked body.
struct BoundArgument {
  const Argument *argument;
  std::string sql;
};

/// Completes `plan.call`: the call, the rows chosen from it, and the body as the media asks for. The parameters that
/// the arguments use are bound already; `from` is what unpacks a JSON body, or empty. Throws 400 for unknown columns.
///
/// The statement gives one row of text: total | null, number of rows, body, response.headers, response.status, and
/// whether the body is within `plan.max_response`; one that is not stays in the server. With `plan.keyset` there is one
/// more: the key of the page's last row where rows follow (null: none, "!": one with the same key). With
/// `plan.streamed` it gives a row of one text for each line instead; a null is a line beyond max_response.
void write_call(Plan &plan, const std::vector<BoundArgument> &arguments, const std::string &from);

}  // namespace nexus::bridge
