#include "bridge/media_worker/probe_run.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

namespace nexus::media_worker {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using Kind = ProbeRun::Kind;

constexpr std::size_t kMaxOutput = std::size_t{64} << 10;
constexpr std::size_t kMaxThumbnail = std::size_t{8} << 20;
constexpr std::size_t kMaxErrors = 300;
constexpr milliseconds kLook{100};
constexpr milliseconds kGrace{2000};  // to end, for a probe that has closed its output
constexpr std::int64_t kPart = std::int64_t{32} << 20;
constexpr int kNoMemory = 3;  // the probe's exit code
constexpr int kThumbnailFd = 3;

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {
    if (fd_ < 0) throw std::runtime_error(std::string("no descriptor: ") + std::strerror(errno));
  }
  ~Fd() { close(); }
  Fd(const Fd &) = delete;
  Fd &operator=(const Fd &) = delete;
  int get() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

// A descriptor above those that the probe has.
int above(int fd) {
  if (fd < 0 || fd > kThumbnailFd) return fd;
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, kThumbnailFd + 1);
  ::close(fd);
  return copy;
}

std::string contents(int fd, std::size_t most) {
  std::string bytes(most, '\0');
  std::size_t done = 0;
  while (done < most) {
    const ssize_t got = pread(fd, bytes.data() + done, most - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

struct Actions {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  Actions() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
  }
  ~Actions() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  Actions(const Actions &) = delete;
  Actions &operator=(const Actions &) = delete;
};

pid_t spawn(std::vector<std::string> &command, int input, int output, int errors, int thumbnail) {
  Actions actions;
  posix_spawn_file_actions_adddup2(&actions.files, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions.files, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions.files, errors, STDERR_FILENO);
  posix_spawn_file_actions_adddup2(&actions.files, thumbnail, kThumbnailFd);
  // Its signals are its own: not those that this process blocks, nor those of a terminal.
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&actions.attributes, &none);
  posix_spawnattr_setsigdefault(&actions.attributes, &all);
  posix_spawnattr_setpgroup(&actions.attributes, 0);
  posix_spawnattr_setflags(&actions.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  std::vector<char *> arguments;
  arguments.reserve(command.size() + 1);
  for (std::string &argument : command) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  char *environment[] = {nullptr};
  pid_t pid = -1;
  const int result =
      posix_spawn(&pid, command[0].c_str(), &actions.files, &actions.attributes, arguments.data(), environment);
  if (result != 0) throw std::runtime_error(command[0] + " cannot be run: " + std::strerror(result));
  return pid;
}

std::vector<std::string> command_of(const ProbeSettings &settings, const probe::Claim &claim, std::int64_t size) {
  const std::int64_t parts = size / kPart;
  std::vector<std::string> command{settings.program,
                                   "--memory=" + std::to_string(settings.memory),
                                   "--cpu=" + std::to_string(settings.cpu + parts),
                                   "--wall=" + std::to_string(settings.timeout.count() + 4 * parts),
                                   "--max-pixels=" + std::to_string(settings.max_pixels),
                                   "--max-duration=" + std::to_string(settings.max_duration),
                                   "--thumbnail-side=" + std::to_string(settings.thumbnail_side)};
  // A text from outside is the value of a flag, whatever it begins with; an empty one would take the next flag for it.
  if (!claim.mime_type.empty()) command.push_back("--mime-type=" + claim.mime_type);
  if (!claim.file_name.empty()) command.push_back("--file-name=" + claim.file_name);
  return command;
}

// What a child has printed, until it closes its output; false when it must be killed instead.
bool collect(int fd, std::string &output, Clock::time_point deadline, const std::function<bool()> &stop) {
  for (;;) {
    pollfd end{fd, POLLIN, 0};
    const int ready = ::poll(&end, 1, static_cast<int>(kLook.count()));
    if (Clock::now() > deadline || stop()) return false;
    if (ready <= 0) continue;
    char piece[4096];
    const ssize_t got = ::read(fd, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return true;
    output.append(piece, static_cast<std::size_t>(got));
    if (output.size() > kMaxOutput) return false;
  }
}

std::optional<int> ended(pid_t pid, int flags, rusage &usage) {
  int status = 0;
  for (;;) {
    const pid_t got = wait4(pid, &status, flags, &usage);
    if (got == pid) return status;
    if (got == 0 || errno != EINTR) return std::nullopt;
  }
}

ProbeRun failed_probe(const std::string &reason) {
  ProbeRun run;
  run.kind = Kind::kVerdict;
  run.verdict = probe::Refusal{probe::kProbeFailed, reason};
  return run;
}

ProbeRun failure(const std::string &message) {
  ProbeRun run;
  run.message = message;
  return run;
}

bool is_thumbnail(const probe::Facts &facts, const std::string &bytes) {
  return facts.thumbnail && bytes.size() == static_cast<std::size_t>(facts.thumbnail->file_size) && bytes.size() > 4 &&
         bytes.compare(0, 3, "\xff\xd8\xff") == 0 && bytes.compare(bytes.size() - 2, 2, "\xff\xd9") == 0;
}

}  // namespace

ProbeRun read_end(int status, const std::string &output, const std::string &errors) {
  if (WIFSIGNALED(status)) {
    switch (const int signal = WTERMSIG(status)) {
      case SIGXCPU:
        return failed_probe("measuring the file took too much processor time");
      case SIGALRM:
        return failed_probe("measuring the file took too long");
      case SIGKILL:
        return failure("the probe was killed");
      default:
        return failed_probe("the file makes its decoder fail (signal " + std::to_string(signal) + ")");
    }
  }
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  if (code == kNoMemory) return failed_probe("measuring the file takes too much memory");
  if (code != 0) return failure("the probe ended with " + std::to_string(code) + ": " + probe::printable(errors));
  const auto verdict = probe::read_verdict(output);
  if (!verdict) return failed_probe("the file makes its probe say what is no verdict");
  ProbeRun run;
  run.kind = Kind::kVerdict;
  run.verdict = *verdict;
  return run;
}

ProbeRun run_probe(const ProbeSettings &settings, const probe::Claim &claim, int fd, std::int64_t size,
                   const std::function<bool()> &stop) {
  const auto begun = Clock::now();
  const auto allowed = settings.timeout + std::chrono::seconds(4 * (size / kPart));
  try {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error(std::string("no pipe: ") + std::strerror(errno));
    const Fd reading(above(ends[0]));
    Fd writing(above(ends[1]));
    const Fd thumbnail(above(memfd_create("thumbnail", MFD_CLOEXEC)));
    const Fd errors(above(memfd_create("errors", MFD_CLOEXEC)));
    const Fd input(fcntl(fd, F_DUPFD_CLOEXEC, kThumbnailFd + 1));
    auto command = command_of(settings, claim, size);
    const pid_t pid = spawn(command, input.get(), writing.get(), errors.get(), thumbnail.get());
    writing.close();
    std::string output;
    bool in_time = collect(reading.get(), output, begun + allowed, stop);
    rusage usage{};
    std::optional<int> status;
    for (const auto until = Clock::now() + kGrace; in_time && !(status = ended(pid, WNOHANG, usage));) {
      if (Clock::now() > until) in_time = false;
      std::this_thread::sleep_for(milliseconds(1));
    }
    if (!status) {
      ::kill(pid, SIGKILL);
      status = ended(pid, 0, usage);
    }
    ProbeRun run = in_time && status ? read_end(*status, output, contents(errors.get(), kMaxErrors))
                                     : failed_probe("measuring the file took too long");
    if (!in_time && stop()) run.kind = Kind::kStopped;
    run.max_rss = std::int64_t{usage.ru_maxrss} * 1024;
    run.took = std::chrono::duration_cast<milliseconds>(Clock::now() - begun);
    if (run.kind != Kind::kVerdict) return run;
    if (auto *facts = std::get_if<probe::Facts>(&run.verdict)) {
      if (facts->file_size != size) return failure("the probe measured another number of bytes");
      run.thumbnail = contents(thumbnail.get(), kMaxThumbnail);
      if (!is_thumbnail(*facts, run.thumbnail)) {
        if (facts->thumbnail) return failed_probe("the file makes its probe leave a broken thumbnail");
        run.thumbnail.clear();
      }
    }
    return run;
  } catch (const std::exception &error) {
    return failure(error.what());
  }
}

}  // namespace nexus::media_worker
