// The dry run: what a model needs of memory, as llama.cpp itself lays it out without allocating
// anything (model/budget/needs.h holds the result).
//
// Takes about as long as reading the vocabulary. Inference thread only; what is loaded stays.
#pragma once

#include "base/result.h"
#include "model/budget/needs.h"
#include "model/local/protocol.h"

namespace keel::local {

// For the request's context and batch, and for halves of both down to limits::budget_context_least
// and budget_batch_least.
Result<budget::Needs> dry_run(const LoadRequest& request);

}  // namespace keel::local
