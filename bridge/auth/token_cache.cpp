#include "bridge/auth/token_cache.hpp"

#include <openssl/sha.h>

namespace nexus::bridge {
namespace {

std::string digest_of(std::string_view token) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char *>(token.data()), token.size(),
         reinterpret_cast<unsigned char *>(digest.data()));
  return digest;
}

}  // namespace

std::optional<TokenCache::Entry> TokenCache::find(std::string_view token) {
  if (most_ == 0) return std::nullopt;
  const std::string digest = digest_of(token);
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto place = places_.find(digest);
  if (place == places_.end()) return std::nullopt;
  entries_.splice(entries_.begin(), entries_, place->second);
  return place->second->second;
}

void TokenCache::keep(std::string_view token, Entry entry) {
  if (most_ == 0) return;
  std::string digest = digest_of(token);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (places_.count(digest) > 0) return;
  entries_.emplace_front(digest, std::move(entry));
  places_.emplace(std::move(digest), entries_.begin());
  if (entries_.size() > most_) {
    places_.erase(entries_.back().first);
    entries_.pop_back();
  }
}

}  // namespace nexus::bridge
