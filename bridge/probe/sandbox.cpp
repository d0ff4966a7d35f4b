#include "bridge/probe/sandbox.hpp"

#include <malloc.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <memory>
#include <stdexcept>
#include <string>

namespace nexus::probe {
namespace {

void limit(__rlimit_resource resource, std::int64_t value, std::int64_t beyond = 0) {
  const rlimit both{static_cast<rlim_t>(value), static_cast<rlim_t>(value + beyond)};
  if (setrlimit(resource, &both) != 0) throw std::runtime_error("the limits of the process cannot be set");
}

// What computing, memory, threads, and descriptors that are open need.
constexpr int kAllowed[] = {
    SCMP_SYS(read),
    SCMP_SYS(pread64),
    SCMP_SYS(readv),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(pwrite64),
    SCMP_SYS(lseek),
    SCMP_SYS(fstat),
    SCMP_SYS(close),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(mprotect),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(futex),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sysinfo),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(tgkill),
    SCMP_SYS(getrandom),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(getrusage),
    SCMP_SYS(prlimit64),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

// What nothing here has a reason to do: whoever tries has been taken over.
constexpr int kFatal[] = {
    SCMP_SYS(execve),  SCMP_SYS(execveat),       SCMP_SYS(fork),        SCMP_SYS(vfork),  SCMP_SYS(socket),
    SCMP_SYS(connect), SCMP_SYS(ptrace),         SCMP_SYS(kill),        SCMP_SYS(mount),  SCMP_SYS(process_vm_writev),
    SCMP_SYS(bpf),     SCMP_SYS(io_uring_setup), SCMP_SYS(userfaultfd), SCMP_SYS(keyctl), SCMP_SYS(unshare),
};

void add(scmp_filter_ctx context, std::uint32_t action, int call, bool threads_only = false) {
  const int result =
      threads_only ? seccomp_rule_add(context, action, call, 1, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD))
                   : seccomp_rule_add(context, action, call, 0);
  // A call that this machine does not have needs no rule.
  if (result != 0 && result != -EDOM) throw std::runtime_error("the filter of system calls cannot be made");
}

}  // namespace

void limit_process(const Allowance &allowance) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) throw std::runtime_error("privileges cannot be given up");
  // One heap: those of threads reserve address space that is limited.
  mallopt(M_ARENA_MAX, 1);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_AS, allowance.memory);
  limit(RLIMIT_CPU, allowance.cpu, 1);  // the first limit says SIGXCPU, which tells what it was
  limit(RLIMIT_FSIZE, allowance.output);
  alarm(static_cast<unsigned>(allowance.wall));
}

void lock_process() {
  limit(RLIMIT_NOFILE, 4);
  const std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)), seccomp_release);
  if (!filter) throw std::runtime_error("the filter of system calls cannot be made");
  for (const int call : kAllowed) add(filter.get(), SCMP_ACT_ALLOW, call);
  for (const int call : kFatal) add(filter.get(), SCMP_ACT_KILL_PROCESS, call);
  add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(clone), true);
  // Its flags are behind a pointer, which a filter cannot follow: the C library falls back to clone.
  add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3));
  if (seccomp_load(filter.get()) != 0) throw std::runtime_error("the filter of system calls cannot be loaded");
}

}  // namespace nexus::probe
