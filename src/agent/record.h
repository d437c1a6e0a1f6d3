// What a turn has come to so far, from its rows or as it happens, and the object that `keel chat
// --json` prints (docs/formats/chat-json.md). A value; one owner.
#pragma once

#include <string>
#include <vector>

#include "agent/event.h"
#include "base/json.h"
#include "base/result.h"
#include "store/journal.h"

namespace keel::agent {

struct Record {
  std::string conversation;
  std::string turn;
  std::string reply;
  std::string model;
  std::string rule;
  std::string reason;
  std::string retrieval;
  std::vector<RecalledPage> pages;
  std::vector<store::CallRow> calls;
  std::vector<store::UsageRow> usage;
  double ttft_ms = 0.0;
  double total_ms = 0.0;
  bool stopped = false;

  // Recalled pages and route, from the steps of an interrupted turn.
  Status read_steps(const std::vector<store::StepRow>& steps);
  std::string recall_step() const;
  Json to_json() const;
};

}  // namespace keel::agent
