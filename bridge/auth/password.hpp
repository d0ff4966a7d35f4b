#pragma once

#include <cstdint>
#include <string>

namespace nexus::bridge {

/// The argon2id hash of a password, in PHC form (m = 19 MiB, t = 2, p = 1). Takes about 70 ms and 19 MiB; at most as
/// many run at once as there are processors, others wait.
std::string hash_password(const std::string &password);

/// Whether the password is the one of the hash: argon2id, or bcrypt as other applications leave it. An empty hash
/// stands for an unknown user: it takes as long as any other and is false.
bool verify_password(const std::string &hash, const std::string &password);

/// How many passwords have been hashed or checked so far, for the metrics.
std::uint64_t passwords_hashed();

}  // namespace nexus::bridge
