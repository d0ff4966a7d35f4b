#include "bridge/media/store.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "bridge/media/directory_store.hpp"
#include "bridge/media/s3_store.hpp"

namespace nexus::media {
namespace {

constexpr std::size_t kDigits = 32, kLongestSuffix = 32;
constexpr std::string_view kS3 = "s3://";

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

bool is_suffix(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '.' || c == '_' || c == '-';
}

void take(std::string &value, const char *variable) {
  const char *given = std::getenv(variable);
  if (value.empty() && given != nullptr) value = given;
}

}  // namespace

LocalCopy::~LocalCopy() {
  if (fd_ >= 0) ::close(fd_);
}

bool is_key(std::string_view text) {
  return text.size() >= kDigits && text.size() <= kDigits + kLongestSuffix &&
         std::all_of(text.begin(), text.begin() + kDigits, is_hex) &&
         std::all_of(text.begin() + kDigits, text.end(), is_suffix);
}

StoreSettings with_environment(StoreSettings settings) {
  take(settings.access_key, "AWS_ACCESS_KEY_ID");
  take(settings.secret_key, "AWS_SECRET_ACCESS_KEY");
  take(settings.session_token, "AWS_SESSION_TOKEN");
  take(settings.endpoint, "AWS_ENDPOINT_URL");
  take(settings.region, "AWS_REGION");
  return settings;
}

std::unique_ptr<Store> open_store(const StoreSettings &settings) {
  if (settings.place.empty()) throw std::runtime_error("no place for media is configured");
  if (std::string_view(settings.place).substr(0, kS3.size()) == kS3) return std::make_unique<S3Store>(settings);
  if (settings.place.front() != '/')
    throw std::runtime_error("the place for media is neither s3://... nor a directory from /");
  return std::make_unique<DirectoryStore>(settings.place);
}

}  // namespace nexus::media
