#pragma once

#include <csignal>
#include <string>

// What the worker processes have in common around their work.
namespace nexus::publisher {

/// The name of this process in the queue: host and process id.
std::string process_name();

/// Leaves SIGTERM and SIGINT to sigwait() in the main thread alone, to be called before any thread begins; returns
/// them.
sigset_t block_end_signals();

/// The log goes to standard error, as `name`, from this level on.
void log_to_stderr(const std::string &name, const std::string &level);

}  // namespace nexus::publisher
