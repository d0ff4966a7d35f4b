#pragma once

#include <magic.h>

#include <functional>
#include <memory>
#include <string>

#include "bridge/probe/input.hpp"
#include "bridge/probe/limits.hpp"
#include "bridge/probe/media_types.hpp"
#include "bridge/probe/verdict.hpp"

namespace nexus::probe {

/// libmagic with its database loaded, which has to be read from disk.
class Magic {
 public:
  /// Throws std::runtime_error.
  Magic();

  /// The MIME type of the first bytes of a file; application/octet-stream where it is not known.
  std::string type_of(const Input &input) const;

 private:
  std::unique_ptr<magic_set, void (*)(magic_t)> magic_;
};

/// Measures a file: what it is, whether that is what it is said to be, whether all of it is there, what is in it. The
/// thumbnail's bytes, where there is one, are given to `keep`. Throws what is no fault of the file: std::bad_alloc,
/// std::runtime_error.
Verdict measure(const Magic &magic, Input &input, const Claim &claim, const Limits &limits,
                const std::function<void(const std::string &)> &keep);

}  // namespace nexus::probe
