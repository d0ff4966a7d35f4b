#include "bridge/media/directory_store.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

namespace nexus::media {
namespace {

namespace fs = std::filesystem;

// Left free on the disk, for whatever else lives there.
constexpr std::uint64_t kSpare = std::uint64_t{16} << 20;
constexpr const char *kGood = ".good";
constexpr const char *kNew = ".new";

[[noreturn]] void fail(int code, const std::string &doing) {
  const bool full = code == ENOSPC || code == EDQUOT || code == EFBIG;
  const auto kind = full             ? StoreError::Kind::kNoSpace
                    : code == ENOENT ? StoreError::Kind::kMissing
                                     : StoreError::Kind::kFailed;
  throw StoreError(kind, doing + ": " + std::generic_category().message(code));
}

class File {
 public:
  File() = default;
  explicit File(int fd) : fd_(fd) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(File &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  File &operator=(File &&other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  File(const File &) = delete;
  File &operator=(const File &) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

File open_file(const std::string &path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0640);
  if (fd < 0) fail(errno, "opening a file of the store");
  return File(fd);
}

std::optional<std::uint64_t> file_size(const std::string &path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) {
    if (errno == ENOENT) return std::nullopt;
    fail(errno, "looking for a file of the store");
  }
  return static_cast<std::uint64_t>(found.st_size);
}

// A new name survives a power cut only with its directory.
void sync_directory_of(const std::string &path) {
  const File directory = open_file(fs::path(path).parent_path().string(), O_RDONLY | O_DIRECTORY);
  if (::fsync(directory.get()) != 0) fail(errno, "keeping a directory of the store");
}

// How much of the bytes was written; fewer than all of them only before an error.
void write_all(int fd, std::string_view bytes, std::uint64_t &written) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail(n < 0 ? errno : ENOSPC, "writing to the store");
    written += static_cast<std::uint64_t>(n);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void write_file(const std::string &path, std::string_view bytes) {
  const std::string fresh = path + kNew;
  try {
    const File file = open_file(fresh, O_WRONLY | O_CREAT | O_TRUNC);
    std::uint64_t written = 0;
    write_all(file.get(), bytes, written);
    if (::fsync(file.get()) != 0) fail(errno, "keeping a file of the store");
    if (::rename(fresh.c_str(), path.c_str()) != 0) fail(errno, "naming a file of the store");
  } catch (...) {
    ::unlink(fresh.c_str());
    throw;
  }
  sync_directory_of(path);
}

// The size that is verified, where a part ends in bytes that are not.
std::optional<std::uint64_t> good_size(const std::string &part) {
  const int fd = ::open((part + kGood).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  const File file(fd);
  char text[24];
  const ssize_t n = ::read(fd, text, sizeof text);
  std::uint64_t size = 0;
  if (n > 0) std::from_chars(text, text + n, size);
  return size;
}

bool same_file(int fd, const std::string &path) {
  struct stat opened {
  }, named{};
  return ::fstat(fd, &opened) == 0 && ::stat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
         opened.st_dev == named.st_dev;
}

class DirectoryPart : public Part {
 public:
  DirectoryPart(std::string part, std::string object) : part_(std::move(part)), object_(std::move(object)) {
    file_ = open_file(part_, O_WRONLY | O_CREAT | O_APPEND);
    if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) fail(errno, "locking an upload");
      throw StoreError(StoreError::Kind::kBusy, "another request writes to this upload");
    }
    // finished or removed between open() and the lock
    const bool whole = file_size(object_).has_value();
    if (whole) ::unlink(part_.c_str());
    if (whole || !same_file(file_.get(), part_)) throw StoreError(StoreError::Kind::kBusy, "the upload has just ended");
    size_ = file_size(part_).value_or(0);
    if (const auto good = good_size(part_)) {
      truncate(std::min(*good, size_));
      flush();
    }
  }

  std::uint64_t size() const override { return size_; }

  void append(std::string_view bytes) override { write_all(file_.get(), bytes, size_); }

  void flush() override {
    if (::fdatasync(file_.get()) != 0) fail(errno, "keeping an upload");
    if (doubted_ || good_size(part_)) ::unlink((part_ + kGood).c_str());
    doubted_.reset();
  }

  void doubt() override {
    write_file(part_ + kGood, std::to_string(size_));
    doubted_ = size_;
  }

  void discard() override {
    truncate(doubted_.value_or(size_));
    flush();
  }

  void finish() override {
    flush();
    std::error_code failed;
    fs::create_directories(fs::path(object_).parent_path(), failed);
    if (failed) fail(failed.value(), "making a directory of the store");
    if (::rename(part_.c_str(), object_.c_str()) != 0) fail(errno, "naming an object of the store");
    sync_directory_of(object_);
  }

 private:
  void truncate(std::uint64_t size) {
    if (::ftruncate(file_.get(), static_cast<off_t>(size)) != 0) fail(errno, "cutting an upload");
    size_ = size;
  }

  const std::string part_, object_;
  File file_;
  std::uint64_t size_ = 0;
  std::optional<std::uint64_t> doubted_;
};

void add_stale(const fs::path &directory, fs::file_time_type before, const std::string &after,
               std::vector<std::string> &keys) {
  std::error_code failed;
  for (fs::directory_iterator it(directory, failed), end; !failed && it != end; it.increment(failed)) {
    std::string name = it->path().filename().string();
    for (const char *suffix : {kNew, kGood}) {  // K.good.new is of K, not of a key that is called K.good
      const std::size_t cut = name.rfind(suffix);
      if (cut != std::string::npos && cut + std::strlen(suffix) == name.size()) name.resize(cut);
    }
    std::error_code gone;
    if (is_key(name) && name > after && it->is_regular_file(gone) && it->last_write_time(gone) < before && !gone) {
      keys.push_back(name);
    }
  }
}

}  // namespace

DirectoryStore::DirectoryStore(std::string directory) : directory_(std::move(directory)) {
  while (directory_.size() > 1 && directory_.back() == '/') directory_.pop_back();
  std::error_code failed;
  for (const char *part : {"/objects", "/parts"}) {
    fs::create_directories(directory_ + part, failed);
    if (failed || ::access((directory_ + part).c_str(), R_OK | W_OK | X_OK) != 0) {
      throw std::runtime_error("the directory for media " + directory_ + " cannot be used: " +
                               (failed ? failed.message() : std::generic_category().message(errno)));
    }
  }
}

std::string DirectoryStore::object_path(const std::string &key) const {
  if (!is_key(key)) throw StoreError(StoreError::Kind::kMissing, "this is no key of an object");
  return directory_ + "/objects/" + key.substr(0, 2) + "/" + key;
}

std::string DirectoryStore::part_path(const std::string &key) const {
  if (!is_key(key)) throw StoreError(StoreError::Kind::kMissing, "this is no key of an object");
  return directory_ + "/parts/" + key;
}

std::unique_ptr<Part> DirectoryStore::open_part(const std::string &key) {
  return std::make_unique<DirectoryPart>(part_path(key), object_path(key));
}

std::optional<std::uint64_t> DirectoryStore::part_size(const std::string &key) {
  const std::string path = part_path(key);
  const auto good = good_size(path);
  const auto size = file_size(path);
  return good && size ? std::min(*good, *size) : size;
}

std::optional<std::uint64_t> DirectoryStore::size(const std::string &key) {
  return file_size(object_path(key));
}

std::string DirectoryStore::read(const std::string &key, std::uint64_t first, std::size_t count) {
  const File file = open_file(object_path(key), O_RDONLY);
  std::string bytes(count, '\0');
  std::size_t got = 0;
  while (got < count) {
    const ssize_t n = ::pread(file.get(), bytes.data() + got, count - got, static_cast<off_t>(first + got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(errno, "reading from the store");
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  bytes.resize(got);
  return bytes;
}

void DirectoryStore::put(const std::string &key, std::string_view bytes) {
  const std::string path = object_path(key);
  std::error_code failed;
  fs::create_directories(fs::path(path).parent_path(), failed);
  if (failed) fail(failed.value(), "making a directory of the store");
  write_file(path, bytes);
}

void DirectoryStore::remove(const std::string &key) {
  const std::string object = object_path(key), part = part_path(key);
  for (const std::string &path : {object, object + kNew, part, part + kGood, part + kGood + kNew}) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) fail(errno, "removing from the store");
  }
}

std::vector<std::string> DirectoryStore::stale(std::chrono::seconds age, const std::string &after, std::size_t max) {
  const auto before = fs::file_time_type::clock::now() - age;
  std::vector<std::string> keys;
  add_stale(directory_ + "/parts", before, after, keys);
  std::vector<fs::path> shards;
  std::error_code failed;
  for (fs::directory_iterator it(directory_ + "/objects", failed), end; !failed && it != end; it.increment(failed)) {
    if (it->path().filename().string() >= after.substr(0, 2)) shards.push_back(it->path());
  }
  std::sort(shards.begin(), shards.end());
  const auto in_order = [&keys] {
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  };
  for (const auto &shard : shards) {
    in_order();
    // what comes in this and all later shards stands behind these
    if (keys.size() >= max && keys[max - 1].compare(0, 2, shard.filename().string()) < 0) break;
    add_stale(shard, before, after, keys);
  }
  in_order();
  if (keys.size() > max) keys.resize(max);
  return keys;
}

LocalCopy DirectoryStore::local_copy(const std::string &key) {
  std::string path = object_path(key);
  File file = open_file(path, O_RDONLY);
  return {file.release(), std::move(path)};
}

void DirectoryStore::expect(std::uint64_t bytes) {
  struct statvfs disk {};
  if (::statvfs(directory_.c_str(), &disk) != 0) fail(errno, "looking at the disk");
  const std::uint64_t room = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
  if (room < kSpare || room - kSpare < bytes) throw StoreError(StoreError::Kind::kNoSpace, "the disk is full");
}

}  // namespace nexus::media
