#pragma once

#include <mutex>
#include <set>

#include "bridge/media/sigv4.hpp"
#include "bridge/media/store.hpp"
#include "bridge/publisher/http_client.hpp"

namespace nexus::media {

/// Objects of an S3 bucket. An upload is a multipart upload: what S3 has of it is never sent again. What is less than
/// a part (5 MiB, the smallest that S3 takes) waits in an object of its own; a manifest object says which parts and
/// which of those count, so that a resumed upload goes on where the last flush() or whole part was. Who writes to an
/// upload is known within one process only: of several bridges before one bucket, each upload goes to one.
class S3Store : public Store {
 public:
  /// Throws std::runtime_error for settings that cannot be.
  explicit S3Store(const StoreSettings &settings);

  std::unique_ptr<Part> open_part(const std::string &key) override;
  std::optional<std::uint64_t> part_size(const std::string &key) override;
  std::optional<std::uint64_t> size(const std::string &key) override;
  std::string read(const std::string &key, std::uint64_t first, std::size_t count) override;
  void put(const std::string &key, std::string_view bytes) override;
  void remove(const std::string &key) override;
  std::vector<std::string> stale(std::chrono::seconds age, const std::string &after, std::size_t max) override;
  LocalCopy local_copy(const std::string &key) override;
  void expect(std::uint64_t) override {}

 private:
  friend class S3Part;
  using Pairs = std::vector<std::pair<std::string, std::string>>;

  /// One signed request for an object of the bucket, an empty name for the bucket itself. Asked again when the answer
  /// is 5xx or none, a few times: everything that is sent here may come twice. Throws StoreError where there is no
  /// answer.
  publisher::Exchange send(const std::string &method, const std::string &name, const Pairs &query,
                           const std::string &body = "", const Pairs &headers = {}) const;
  /// The same, and StoreError unless the status is 2xx.
  publisher::Exchange ask(const std::string &method, const std::string &name, const Pairs &query,
                          const std::string &body = "", const Pairs &headers = {}) const;
  std::string object(const std::string &key) const;
  std::string part(const std::string &key, const std::string &suffix) const;
  std::optional<std::string> get(const std::string &name) const;
  void list(const std::string &folder, std::chrono::seconds age, const std::string &after, std::size_t max,
            std::vector<std::string> &keys) const;

  publisher::HttpClient client_;
  Signer signer_;
  std::string session_token_, base_, host_, path_, prefix_, temporary_;
  std::mutex mutex_;
  std::set<std::string> open_;  ///< uploads that are being written to
};

}  // namespace nexus::media
