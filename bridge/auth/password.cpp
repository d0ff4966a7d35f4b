#include "bridge/auth/password.hpp"

#include <crypt.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace nexus::bridge {
namespace {

constexpr unsigned long long kPasses = 2;
constexpr std::size_t kMemory = std::size_t{19} << 20;

std::atomic<std::uint64_t> hashed{0};

// Bounds the memory that passwords being hashed take.
class Turn {
 public:
  Turn() {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [] { return running < most(); });
    ++running;
    ++hashed;
  }
  ~Turn() {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      --running;
    }
    changed.notify_one();
  }
  Turn(const Turn &) = delete;
  Turn &operator=(const Turn &) = delete;

 private:
  static unsigned most() { return std::max(1U, std::thread::hardware_concurrency()); }

  static inline std::mutex mutex;
  static inline std::condition_variable changed;
  static inline unsigned running = 0;
};

bool bcrypt_verifies(const std::string &hash, const std::string &password) {
  const auto data = std::make_unique<crypt_data>();
  const char *made = crypt_r(password.c_str(), hash.c_str(), data.get());
  const std::string again = made == nullptr ? "" : made;
  return again.size() == hash.size() && sodium_memcmp(again.data(), hash.data(), hash.size()) == 0;
}

}  // namespace

std::string hash_password(const std::string &password) {
  const Turn turn;
  std::array<char, crypto_pwhash_STRBYTES> hash{};
  if (sodium_init() < 0 || crypto_pwhash_str_alg(hash.data(), password.data(), password.size(), kPasses, kMemory,
                                                 crypto_pwhash_ALG_ARGON2ID13) != 0) {
    throw std::runtime_error("the password cannot be hashed: out of memory");
  }
  return hash.data();
}

bool verify_password(const std::string &hash, const std::string &password) {
  static const std::string unknown_user = hash_password("nobody's password");
  const Turn turn;
  if (hash.compare(0, 2, "$2") == 0) return bcrypt_verifies(hash, password);
  const std::string &used = hash.compare(0, 10, "$argon2id$") == 0 ? hash : unknown_user;
  const bool same = crypto_pwhash_str_verify(used.c_str(), password.data(), password.size()) == 0;
  return same && &used == &hash;
}

std::uint64_t passwords_hashed() {
  return hashed;
}

}  // namespace nexus::bridge
