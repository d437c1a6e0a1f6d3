// Keeps a long conversation within its model's context without anybody waiting for it: when one
// nears the end, the older turns are put into a summary by the model itself, and the shorter
// conversation is read ahead, both in the background and behind whatever the owner wants. The turn
// that comes next then finds it in place. What is left out stays in the journal; a summary that
// fails or is interrupted changes nothing, and is tried again after the next turn.
//
// Threads: consider() from any; one thread of its own does the work and ends with the object.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "agent/agent.h"
#include "rt/queue.h"
#include "rt/thread.h"

namespace keel::agent {

class Compaction {
 public:
  // Runs `body` while no turn of the conversation runs; false if stopped before.
  using BetweenTurns = std::function<bool(const std::string& conversation, std::stop_token stop,
                                          const std::function<void()>& body)>;
  Compaction(const AgentParts& parts, store::Journal& journal, BetweenTurns between_turns);
  ~Compaction();

  // A turn has ended; its last prompt and answer had so many tokens.
  void consider(const std::string& conversation, const std::string& turn, const std::string& model,
                std::int64_t tokens);

 private:
  struct Job {
    std::string conversation;
    std::string turn;
    std::string model;
  };
  Status compact(const Job& job, std::stop_token stop);

  const AgentParts& parts_;
  store::Journal& journal_;
  const BetweenTurns between_turns_;
  rt::Queue<Job> jobs_;
  rt::Thread worker_;
};

}  // namespace keel::agent
