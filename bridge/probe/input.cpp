#include "bridge/probe/input.hpp"

#include <openssl/evp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <vector>

namespace nexus::probe {
namespace {

constexpr std::size_t kPiece = std::size_t{256} << 10;

}  // namespace

Input::Input(int fd) : fd_(fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) throw std::runtime_error("the input is no regular file");
  size_ = status.st_size;
}

Input::~Input() {
  if (mapped_) munmap(const_cast<std::uint8_t *>(data_), static_cast<std::size_t>(size_));
}

std::size_t Input::read(std::int64_t offset, void *buffer, std::size_t count) const {
  if (offset < 0 || offset >= size_) return 0;
  count = std::min(count, static_cast<std::size_t>(size_ - offset));
  if (data_ != nullptr) {
    std::memcpy(buffer, data_ + offset, count);
    return count;
  }
  std::size_t done = 0;
  while (done < count) {
    const ssize_t got =
        pread(fd_, static_cast<char *>(buffer) + done, count - done, offset + static_cast<std::int64_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw std::runtime_error(std::string("the file cannot be read: ") + std::strerror(errno));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

const std::uint8_t *Input::whole() {
  if (data_ == nullptr && size_ > 0) {
    void *address = mmap(nullptr, static_cast<std::size_t>(size_), PROT_READ, MAP_PRIVATE, fd_, 0);
    if (address == MAP_FAILED) throw std::bad_alloc();
    data_ = static_cast<const std::uint8_t *>(address);
    mapped_ = true;
  }
  return data_;
}

std::string Input::sha256() const {
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX *)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) throw std::bad_alloc();
  std::vector<std::uint8_t> piece(kPiece);
  for (std::int64_t offset = 0; offset < size_;) {
    const std::size_t got = read(offset, piece.data(), piece.size());
    if (got == 0) throw std::runtime_error("the file became shorter");
    EVP_DigestUpdate(context.get(), piece.data(), got);
    offset += static_cast<std::int64_t>(got);
  }
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_DigestFinal_ex(context.get(), digest, &size);
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += "0123456789abcdef"[digest[i] >> 4];
    text += "0123456789abcdef"[digest[i] & 15];
  }
  return text;
}

}  // namespace nexus::probe
