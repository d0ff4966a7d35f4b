#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <functional>
#include <thread>

#include "bridge/probe/sandbox.hpp"

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

namespace {

using namespace nexus::probe;

// How a locked process ends that does this: its exit code, or the signal below zero.
int locked(const std::function<int()> &act, const Allowance &allowance = {}) {
  const pid_t child = fork();
  if (child == 0) {
    try {
      limit_process(allowance);
      lock_process();
      _exit(act());
    } catch (...) {
      _exit(100);
    }
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

TEST(ProbeSandbox, LetsComputeAndMakeThreads) {
  EXPECT_EQ(locked([] {
              int sum = 0;
              std::thread([&sum] { sum = 7; }).join();
              void *memory = mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return memory != MAP_FAILED ? sum : 0;
            }),
            7);
}

TEST(ProbeSandbox, OpensNoFile) {
  EXPECT_EQ(locked([] { return open("/etc/passwd", O_RDONLY) < 0 ? errno : 0; }), EPERM);
  EXPECT_EQ(locked([] { return open("/tmp/probe_was_here", O_WRONLY | O_CREAT, 0600) < 0 ? errno : 0; }), EPERM);
  EXPECT_EQ(locked([] { return unlink("/tmp/probe_was_here") < 0 ? errno : 0; }), EPERM);
}

TEST(ProbeSandbox, KillsWhatWantsOut) {
  EXPECT_EQ(locked([] { return socket(AF_INET, SOCK_STREAM, 0); }), -SIGSYS);
  EXPECT_EQ(locked([] { return execl("/bin/true", "true", nullptr); }), -SIGSYS);
  EXPECT_EQ(locked([] { return kill(getppid(), 0); }), -SIGSYS);
  EXPECT_EQ(locked([] { return fork() < 0 ? errno : 0; }), EPERM) << "a process, made by clone, is no thread";
}

TEST(ProbeSandbox, LimitsWhatIsUsed) {
  Allowance allowance;
  allowance.memory = std::int64_t{256} << 20;
  EXPECT_EQ(locked(
                [] {
                  return mmap(nullptr, std::size_t{1} << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                                 MAP_FAILED
                             ? errno
                             : 0;
                },
                allowance),
            ENOMEM);
  allowance.cpu = 1;
  EXPECT_EQ(locked(
                [] {
                  for (volatile unsigned i = 0;; i = i + 1) {
                  }
                  return 0;
                },
                allowance),
            -SIGXCPU);
  allowance.wall = 1;
  EXPECT_EQ(locked(
                [] {
                  for (;;) usleep(100000);
                  return 0;
                },
                allowance),
            -SIGALRM);
}

}  // namespace

#endif
