#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>

namespace nexus {

/// Lets a long loop of the core be cancelled without knowing by whom.
///
/// Call `poll()` once per step. Every `kInterval` steps it asks the host, which may throw to end the loop; a host that
/// has nothing to say returns and the loop goes on. The default host never interrupts (tests, benchmarks, fuzzers).
class Interrupt {
 public:
  using Check = void (*)();
  static constexpr std::uint32_t kInterval = 16384;  // cheap steps of some nanoseconds: well below a millisecond

  explicit Interrupt(Check check = nullptr) noexcept : check_(check) {}

  void poll(std::uint32_t steps = 1) {
    count_ += steps;
    if (count_ < kInterval) return;
    count_ = 0;
    if (check_ != nullptr) check_();
  }

 private:
  Check check_;
  std::uint32_t count_ = 0;
};

}  // namespace nexus
