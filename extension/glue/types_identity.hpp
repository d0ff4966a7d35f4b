// Who the end user of this session is.
#pragma once

#include <optional>
#include <string>

namespace nexus::pg {

/// The end user (nexus.current_user_id()), std::nullopt where the session stands for none.
const std::optional<std::string> &current_user_id();

}  // namespace nexus::pg
