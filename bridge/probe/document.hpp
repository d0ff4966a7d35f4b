#pragma once

#include "bridge/probe/input.hpp"
#include "bridge/probe/limits.hpp"

namespace nexus::probe {

/// The number of pages of a PDF. Throws Refused, also for one that is encrypted or does things when it is opened.
int read_pdf(Input &input, const Limits &limits);

}  // namespace nexus::probe
