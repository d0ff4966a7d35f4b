#include "bridge/media/receiver.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <array>

namespace nexus::bridge {
namespace {

// What a power cut may take at most.
constexpr std::uint64_t kKeepEvery = std::uint64_t{16} << 20;
constexpr int kChecksumMismatch = 460;

HttpError wrong_offset(std::uint64_t offset) {
  return HttpError(409, "TUS409", "The upload is at offset " + std::to_string(offset))
      .with_header("Upload-Offset", std::to_string(offset));
}

template <typename Call>
auto translated(Call call) {
  try {
    return call();
  } catch (const media::StoreError &error) {
    throw from_store(error);
  }
}

}  // namespace

HttpError from_store(const media::StoreError &error) {
  switch (error.kind) {
    case media::StoreError::Kind::kBusy:
      return HttpError(423, "TUS423", error.what()).with_header("Retry-After", "1");
    case media::StoreError::Kind::kNoSpace:
      return {507, "HTTP507", "There is no room for the upload"};
    case media::StoreError::Kind::kMissing:
      return {404, "HTTP404", "There is no such file"};
    case media::StoreError::Kind::kFailed:
      break;
  }
  return unavailable("HTTP503", "The store of media does not work", error.what());
}

Receiver::~Receiver() {
  EVP_MD_CTX_free(digest_);
}

void Receiver::open() {
  translated([this] {
    if (const auto whole = store_.size(wanted_.key)) {
      if (*whole != wanted_.offset) throw wrong_offset(*whole);
      complete_ = true;  // nothing is left to write
      return;
    }
    part_ = store_.open_part(wanted_.key);
    if (const std::uint64_t offset = part_->size(); offset != wanted_.offset) {
      part_.reset();
      throw wrong_offset(offset);
    }
    if (wanted_.checksum) {
      part_->doubt();
      begin_digest();
    }
  });
}

void Receiver::begin_digest() {
  digest_ = EVP_MD_CTX_new();
  const bool sha1 = wanted_.checksum->algorithm == "sha1";
  if (digest_ == nullptr || EVP_DigestInit_ex(digest_, sha1 ? EVP_sha1() : EVP_sha256(), nullptr) != 1) {
    throw HttpError(500, "XX000", "the checksum cannot be computed");
  }
}

bool Receiver::digest_agrees() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> made{};
  unsigned size = 0;
  EVP_DigestFinal_ex(digest_, made.data(), &size);
  const std::string &asked = wanted_.checksum->digest;
  return size == asked.size() && CRYPTO_memcmp(made.data(), asked.data(), size) == 0;
}

void Receiver::take(std::string_view bytes) {
  if (failed_ || bytes.empty()) return;
  try {
    const std::uint64_t at = part_ ? part_->size() : wanted_.size;
    if (bytes.size() > wanted_.size - at) throw HttpError(413, "TUS413", "The body goes beyond the end of the upload");
    if (digest_ != nullptr) EVP_DigestUpdate(digest_, bytes.data(), bytes.size());
    translated([&] {
      part_->append(bytes);
      unkept_ += bytes.size();
      if (unkept_ < kKeepEvery || digest_ != nullptr) return;
      part_->flush();
      unkept_ = 0;
    });
  } catch (...) {
    failed_ = true;
    throw;
  }
}

std::optional<std::uint64_t> Receiver::end(bool whole) {
  return translated([&]() -> std::optional<std::uint64_t> {
    if (complete_) return wanted_.size;
    if (!part_) return std::nullopt;
    if (digest_ != nullptr && (failed_ || !whole || !digest_agrees())) {
      part_->discard();
      part_.reset();
      if (whole && !failed_) throw HttpError(kChecksumMismatch, "TUS460", "The body does not have its checksum");
      return wanted_.offset;
    }
    const std::uint64_t size = part_->size();
    size == wanted_.size ? part_->finish() : part_->flush();
    part_.reset();
    return size;
  });
}

std::uint64_t Receiver::offset_of(media::Store &store, const std::string &key, std::uint64_t size) {
  return translated([&] {
    if (const auto whole = store.size(key)) return *whole;
    const std::uint64_t offset = store.part_size(key).value_or(0);
    if (offset == size) store.open_part(key)->finish();
    return offset;
  });
}

}  // namespace nexus::bridge
