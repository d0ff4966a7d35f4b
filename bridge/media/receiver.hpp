#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "bridge/http/error.hpp"
#include "bridge/media/store.hpp"
#include "bridge/media/tus.hpp"

struct evp_md_ctx_st;

namespace nexus::bridge {

/// The answer to what a store could not do.
HttpError from_store(const media::StoreError &error);

/// The body of one request on its way to the store. Every call may block; they come one after the other, on any thread.
///
///     receiver.open();
///     while (...) receiver.take(bytes);
///     offset = receiver.end(true);
class Receiver {
 public:
  struct Wanted {
    std::string key;
    std::uint64_t offset = 0, size = 0;  ///< where the body begins, and how long the whole upload is
    std::optional<tus::Checksum> checksum{};
  };

  Receiver(media::Store &store, Wanted wanted) : store_(store), wanted_(std::move(wanted)) {}
  ~Receiver();
  Receiver(const Receiver &) = delete;
  Receiver &operator=(const Receiver &) = delete;

  /// Opens the upload. Throws HttpError: 409 where it is not at that offset, 423 while another request writes to it.
  void open();

  /// Adds bytes. Throws HttpError: 413 beyond the upload's size, 507 on a full disk; then nothing more is taken.
  void take(std::string_view bytes);

  /// Keeps what has come and gives the upload's offset; one that is whole becomes an object. `whole`: the body came to
  /// its end. With a checksum, only a whole body that has it is kept: throws 460 for any other.
  /// Nothing where open() failed.
  std::optional<std::uint64_t> end(bool whole);

  /// How far an upload is, for a request that only asks. One that was cut off just before it became an object does so.
  static std::uint64_t offset_of(media::Store &store, const std::string &key, std::uint64_t size);

 private:
  void begin_digest();
  bool digest_agrees();

  media::Store &store_;
  const Wanted wanted_;
  std::unique_ptr<media::Part> part_;
  evp_md_ctx_st *digest_ = nullptr;
  std::uint64_t unkept_ = 0;
  bool failed_ = false, complete_ = false;
};

}  // namespace nexus::bridge
