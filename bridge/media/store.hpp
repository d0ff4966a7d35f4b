#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nexus::media {

/// What a store could not do, and what that means to whoever asked.
struct StoreError : std::runtime_error {
  enum class Kind {
    kBusy,     ///< another one writes to this upload: later
    kNoSpace,  ///< the disk is full: what was kept before is kept still
    kMissing,  ///< there is no such object
    kFailed,   ///< anything else: later, perhaps
  };
  StoreError(Kind kind, const std::string &message) : std::runtime_error(message), kind(kind) {}
  Kind kind;
};

/// An upload that is open for writing, by one at a time. What is not flushed is lost with the object.
///
///     auto part = store.open_part(key);
///     part->append(bytes);
///     part->flush();
///     if (part->size() == whole) part->finish();
class Part {
 public:
  virtual ~Part() = default;

  /// The bytes there are, those that are not durable yet included.
  virtual std::uint64_t size() const = 0;

  /// Adds bytes at the end. Throws kNoSpace with as many of them kept as there was room for.
  virtual void append(std::string_view bytes) = 0;

  /// What has been appended survives whatever happens from now on.
  virtual void flush() = 0;

  /// What is appended from now on counts only once flush() was called, also when the process dies: it has still to be
  /// verified.
  virtual void doubt() = 0;

  /// Forgets what has been appended since doubt(), which must have been called before.
  virtual void discard() = 0;

  /// From now on the upload is whole, and an object that can be read. Flushes; the part is of no more use.
  virtual void finish() = 0;
};

/// A whole object as a file of this machine, for programs that want one. Its end removes what was copied.
class LocalCopy {
 public:
  LocalCopy(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~LocalCopy();
  LocalCopy(LocalCopy &&other) noexcept : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}
  LocalCopy &operator=(LocalCopy &&) = delete;
  LocalCopy(const LocalCopy &) = delete;
  LocalCopy &operator=(const LocalCopy &) = delete;

  /// Open for reading, at its start.
  int fd() const { return fd_; }

  /// A name to open it by, for as long as this lives: /proc/self/fd/N where it has no other.
  const std::string &path() const { return path_; }

 private:
  int fd_;
  std::string path_;
};

/// Where the bytes of media are. Keys are 32 hexadecimal digits, with a suffix for what is made of a file (a
/// thumbnail): is_key() says which texts are keys. Thread safe; every call may block.
class Store {
 public:
  virtual ~Store() = default;

  /// Opens an upload, a new one where there is none with that key. Throws kBusy while another one has it open.
  virtual std::unique_ptr<Part> open_part(const std::string &key) = 0;

  /// The durable bytes of an upload that is not finished; nothing where there is none.
  virtual std::optional<std::uint64_t> part_size(const std::string &key) = 0;

  /// The size of a whole object; nothing where there is none.
  virtual std::optional<std::uint64_t> size(const std::string &key) = 0;

  /// Up to `count` bytes of a whole object from `first` on. Throws kMissing.
  virtual std::string read(const std::string &key, std::uint64_t first, std::size_t count) = 0;

  /// Stores a small object whole, in place of what had the key before: a thumbnail.
  virtual void put(const std::string &key, std::string_view bytes) = 0;

  /// Removes an object and an upload of that key; without effect where there is neither.
  virtual void remove(const std::string &key) = 0;

  /// Up to `max` keys, in their order and behind `after`, of objects and uploads that have not been written to for that
  /// long. Empty: there are no more.
  virtual std::vector<std::string> stale(std::chrono::seconds age, const std::string &after, std::size_t max) = 0;

  /// The object as a file. Throws kMissing, and kNoSpace where a copy finds no room.
  virtual LocalCopy local_copy(const std::string &key) = 0;

  /// Throws kNoSpace where so many more bytes have no room.
  virtual void expect(std::uint64_t bytes) = 0;
};

/// True for 32 hexadecimal digits and a suffix of at most 32 letters, digits, dots, dashes and underlines.
bool is_key(std::string_view text);

/// The settings of a store.
struct StoreSettings {
  std::string place{};       ///< a directory, or s3://BUCKET/PREFIX
  std::string endpoint{};    ///< of S3: https://host[:port]; empty: that of AWS for the region
  std::string region{};      ///< of S3; empty: us-east-1
  std::string access_key{};  ///< of S3: from the environment, never from flags
  std::string secret_key{};
  std::string session_token{};         ///< of S3: with temporary credentials
  std::string temporary = "/var/tmp";  ///< where local copies of S3 objects go
};

/// The credentials of the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, and where they are
/// not given otherwise AWS_REGION and AWS_ENDPOINT_URL.
StoreSettings with_environment(StoreSettings settings);

/// The store that the settings name. Throws std::runtime_error for settings that name none.
///
///     auto store = open_store(with_environment({"/var/lib/nexus/media"}));
std::unique_ptr<Store> open_store(const StoreSettings &settings);

}  // namespace nexus::media
