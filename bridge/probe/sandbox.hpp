#pragma once

#include <cstdint>

namespace nexus::probe {

/// What the process that reads a hostile file may use.
struct Allowance {
  std::int64_t memory = std::int64_t{1} << 30;  ///< bytes of address space
  int cpu = 60;                                 ///< seconds of processor time
  int wall = 120;                               ///< seconds
  std::int64_t output = std::int64_t{8} << 20;  ///< bytes of a file it writes
};

/// The limits of the kernel, no new privileges, and the end with its parent. To be called first. Throws
/// std::runtime_error.
void limit_process(const Allowance &allowance);

/// From here on the process computes, reads and writes what it has open, and makes threads; opening a file answers
/// EPERM, and a socket, another program or process ends it. To be called when all is loaded. Throws
/// std::runtime_error.
void lock_process();

}  // namespace nexus::probe
