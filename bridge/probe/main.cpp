// nexus-media-probe: measures the one file that is its standard input, which must be a regular file, and prints one
// JSON verdict. A thumbnail goes to descriptor 3 where that is open. Locked up before the first byte is read.
#include <fcntl.h>
#include <linux/close_range.h>
#include <openssl/crypto.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <new>

extern "C" {
#include <libavutil/log.h>
#include <libavutil/mem.h>
}

#include "bridge/probe/measure.hpp"
#include "bridge/probe/sandbox.hpp"

namespace {

using namespace nexus::probe;

constexpr int kThumbnailFd = 3;
constexpr int kNoMemory = 3, kFailed = 4;  // exit codes, beside 2 for a wrong command line

void write_all(int fd, const std::string &bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t written = ::write(fd, bytes.data() + done, bytes.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) throw std::runtime_error("the result cannot be written");
    done += static_cast<std::size_t>(written);
  }
}

int run(const Claim &claim, const Limits &limits, const Allowance &allowance, bool wants_thumbnail) {
  limit_process(allowance);
  av_log_set_level(AV_LOG_QUIET);
  av_max_alloc(static_cast<std::size_t>(allowance.memory / 2));
  OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_ADD_ALL_DIGESTS, nullptr);
  Input input(STDIN_FILENO);
  const Magic magic;
  Input(reinterpret_cast<const std::uint8_t *>(""), 0).sha256();  // loads what OpenSSL loads at first use
  lock_process();
  const Verdict verdict = measure(magic, input, claim, limits, [&](const std::string &thumbnail) {
    if (wants_thumbnail) write_all(kThumbnailFd, thumbnail);
  });
  write_all(STDOUT_FILENO, to_json(verdict).dump() + '\n');
  return 0;
}

int run_command(int argc, char **argv) {
  // What is open besides is nobody's business here.
  const bool wants_thumbnail = fcntl(kThumbnailFd, F_GETFD) >= 0;
  syscall(SYS_close_range, kThumbnailFd + 1, ~0U, 0);
  Claim claim;
  Limits limits;
  Allowance allowance;
  CLI::App app{
      "Measures the media file that is its standard input and prints one JSON verdict: its facts, or {\"refused\": "
      "code, "
      "\"reason\": text}. A thumbnail (JPEG) is written to descriptor 3 where that is open: nexus-media-probe "
      "<clip.mp4 3>clip.jpg"};
  app.option_defaults()->always_capture_default();
  app.add_option("--mime-type", claim.mime_type, "the type that is claimed; empty: none");
  app.add_option("--file-name", claim.file_name, "the name that the file came with; its ending claims a type");
  app.add_option("--max-image-bytes", limits.max_image_bytes, "of an image or a PDF")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 30));
  app.add_option("--max-pixels", limits.max_pixels, "of an image")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 30));
  app.add_option("--max-animation-pixels", limits.max_animation_pixels, "of all frames of an animated image together")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40));
  app.add_option("--max-video-pixels", limits.max_video_pixels, "of a frame of a video")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 30));
  app.add_option("--max-duration", limits.max_duration, "seconds of a video, audio or animation")
      ->check(CLI::Range(1.0, 1e6));
  app.add_option("--thumbnail-side", limits.thumbnail_side, "pixels of its longer side, at most")
      ->check(CLI::Range(16, 4096));
  app.add_option("--memory", allowance.memory, "bytes of address space")
      ->check(CLI::Range(std::int64_t{256} << 20, std::int64_t{1} << 40));
  app.add_option("--cpu", allowance.cpu, "seconds of processor time")->check(CLI::Range(1, 86400));
  app.add_option("--wall", allowance.wall, "seconds")->check(CLI::Range(1, 86400));
  CLI11_PARSE(app, argc, argv);
  return run(claim, limits, allowance, wants_thumbnail);
}

}  // namespace

int main(int argc, char **argv) {
  try {
    return run_command(argc, argv);
  } catch (const std::bad_alloc &) {
    return kNoMemory;
  } catch (const std::exception &error) {
    std::fprintf(stderr, "nexus-media-probe: %s\n", error.what());
    return kFailed;
  }
}
