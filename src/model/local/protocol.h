// The messages between the agent and its engine child as typed values;
// docs/formats/engine-protocol.md describes the frames. Both ends use this file, so neither writes
// JSON by hand. Free of llama.cpp.
//
// Threads: any; pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "model/budget/needs.h"
#include "model/model.h"
#include "rt/child.h"

namespace keel::local {

// How the child is started; the socket and where its words go are the caller's to add.
rt::ChildOptions engine_child(const std::string& program, std::vector<std::string> environment);

// Agent to engine.
struct LoadRequest {
  std::string path;     // of the GGUF
  std::string library;  // of the CPU backend; empty: none is loaded here
  std::string gpu;      // of the GPU backend, which then holds all layers; empty: none
  int context = 0;      // tokens; 0: chosen from the model and the memory
  int threads = 0;      // 0: chosen from the machine
  // keel's own kernel to use (cpu.h), or one of llama.cpp's paths: "flash", or empty for the plain
  // one.
  std::string attention;
  // What keys and values are kept as: budget::kSmallCache, which only "flash" computes with, or
  // empty for 16-bit floats.
  std::string cache;
  bool drafts = true;     // guess what comes next from what the conversation holds
  std::string kv_folder;  // where evaluated conversations are kept; empty: nowhere
  int batch = 0;          // tokens read at once; 0: the usual number
  bool repack = true;     // weights may be rearranged for this processor, which costs memory
  std::int64_t parked_bytes = -1;  // for conversations beside the current one; -1: the usual number
  bool lock = false;               // weights may not be paged out
};
// A dry run of a load: what it would take, for that context and batch and smaller ones. Nothing is
// loaded, and what was loaded stays.
struct NeedRequest {
  LoadRequest load;
};
struct GenerateRequest {
  std::int64_t id = 0;
  model::Request request;
  std::vector<std::int32_t>
      resume;  // tokens of this answer that were written before the engine died
  // For measuring: the answer has exactly request.max_tokens tokens, whatever they say. The model's
  // end of an answer is passed over, tools are shown and never called, `resume` is not looked at.
  bool exact_tokens = false;
};
struct CountRequest {
  std::int64_t id = 0;
  model::Request request;
};
struct CancelRequest {
  std::int64_t id = 0;
};
// Times reading and writing of made-up tokens behind `depth` others; what the cache held is gone.
struct MeasureRequest {
  std::int64_t id = 0;
  std::int64_t depth = 0;
  std::int64_t read = 0;
  std::int64_t write = 0;
};
struct QuitRequest {};
using EngineRequest = std::variant<LoadRequest, NeedRequest, GenerateRequest, CountRequest,
                                   MeasureRequest, CancelRequest, QuitRequest>;

// Engine to agent.
struct LoadedEvent {
  std::string description;  // "qwen2 1.5B Q4_K - Medium"
  std::string library;
  std::int64_t context = 0;
  int threads = 0;
  double load_ms = 0.0;
  std::int64_t weight_bytes = 0;           // read for each token
  std::int64_t cache_bytes_per_token = 0;  // of keys and values, an upper bound
};
struct ProgressEvent {
  std::int64_t id = 0;
  model::Progress progress;
};
// What became certain since the last event. `at` and `tokens` are the answer's tokens so far: those
// from index `at` on are replaced by `tokens`; sent back as GenerateRequest::resume they continue
// this very answer.
struct DeltaEvent {
  std::int64_t id = 0;
  std::string text;
  std::string thinking;
  std::string tool_name;
  std::int64_t at = 0;
  std::vector<std::int32_t> tokens;
};
struct DoneEvent {
  std::int64_t id = 0;
  model::Response response;
};
struct CountEvent {
  std::int64_t id = 0;
  std::int64_t tokens = 0;
  std::int64_t context = 0;
};
struct MeasuredEvent {
  std::int64_t id = 0;
  double read_ms = 0.0;   // all of `read`
  double write_ms = 0.0;  // all of `write`
};
struct NeededEvent {
  budget::Needs needs;
};
struct ErrorEvent {
  std::int64_t id = 0;  // 0: of loading or of a dry run
  Error error;
};
using EngineEvent = std::variant<LoadedEvent, ProgressEvent, DeltaEvent, DoneEvent, CountEvent,
                                 MeasuredEvent, NeededEvent, ErrorEvent>;

std::string encode(const EngineRequest& request);
std::string encode(const EngineEvent& event);
Result<EngineRequest> decode_request(std::string_view frame);
Result<EngineEvent> decode_event(std::string_view frame);

}  // namespace keel::local
