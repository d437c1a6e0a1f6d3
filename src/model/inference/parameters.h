// How keel asks llama.cpp to load a model and to lay out a context: in one place, so that a dry run
// (model/engine/need.h) measures exactly what a load does. Also what llama.cpp said of its trouble.
//
// Any thread.
#pragma once

#include <llama.h>

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/local/protocol.h"

namespace keel::local {

// Loads the CPU library, once in a process, and sends llama.cpp's warnings to standard error.
Status start_llama(const std::string& cpu_library, const std::string& gpu_library);

llama_model_params model_parameters(const LoadRequest& request);

// Whether it has layers whose state is one for all tokens: it cannot go back to any point.
bool has_recurrent_layers(const llama_model* model);

// Without threads and callbacks.
llama_context_params context_parameters(const llama_model* model, const LoadRequest& request,
                                        int context);

// Tokens: what is wished for as far as the model was trained for it; 0: keel's usual number.
int choose_context(const llama_model* model, int wished);

// Keys and values of one token in all layers as 16-bit floats, from the model's widths: an upper
// bound.
std::int64_t cache_bytes_per_token(const llama_model* model);

// Why a load failed: Code::limit if memory ran out, Code::corrupt for any other reason. `said`: an
// exception's text, or empty for what llama.cpp logged last.
Error load_error(const std::string& path, std::string_view said);

}  // namespace keel::local
