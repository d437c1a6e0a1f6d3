// The engine child: the only process that maps a model. It reads requests from one socket, owns the
// only llama_context and answers with events (protocol.h, docs/formats/engine-protocol.md). A
// defect in a model file, in llama.cpp or in the processor ends this process and never the agent.
//
// Threads: the calling thread computes; a reader thread takes requests in, raises the flag that
// ends a computation at once, and ends the process when the agent is gone; a third counts prompts
// meanwhile (counter.h). Standard error is the log; standard output is not used.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace keel::local {

inline constexpr int kEngineFd = 3;

// `keel engine` and `keel engine --probe ...` (cpu.h). The arguments are those after "engine".
// Returns the exit code.
int engine_main(const std::vector<std::string>& arguments, int socket_fd = kEngineFd);

// The loaded libraries are those this program was compiled for; Code::unavailable says which are
// not.
Status check_library_versions();

}  // namespace keel::local
