// What models did, what it cost and what left the machine, summed up: `keel usage`. The answers of
// turns are the journal's, those for other programs this room's own (docs/formats/account.md).
//
// Threads: any.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "store/database.h"

namespace keel::account {

// One answer to another program.
struct ModelCall {
  std::string channel = "api";
  std::string key;  // the program's; empty: that of KEEL_HOME/token
  std::string model;
  std::string rule;
  std::string reason;
  std::string decision;  // JSON
  bool ok = true;
  std::int64_t prompt_tokens = 0;
  std::int64_t cached_tokens = 0;
  std::int64_t evaluated_tokens = 0;
  std::int64_t completion_tokens = 0;
  double cost_usd = 0.0;
  double total_ms = 0.0;
};

struct ModelSum {
  std::string day;
  std::string model;
  std::int64_t calls = 0;
  std::int64_t prompt_tokens = 0;
  std::int64_t cached_tokens = 0;
  std::int64_t completion_tokens = 0;
  double cost_usd = 0.0;
  double total_ms = 0.0;
};
struct HostSum {
  std::string host;
  std::string purpose;
  std::int64_t requests = 0;
  std::int64_t failed = 0;
  std::int64_t bytes_out = 0;
  std::int64_t bytes_in = 0;
};
struct RouteSum {
  std::string model;
  std::string rule;
  std::int64_t count = 0;
  std::string last_reason;
};
// What programs with one key were given.
struct KeySum {
  std::string key;
  std::int64_t calls = 0;
  std::int64_t read_tokens = 0;  // of prompts, not found in a cache
  std::int64_t completion_tokens = 0;
  double cost_usd = 0.0;
};
struct Report {
  WallMs since = 0;
  std::vector<ModelSum> models;  // newest day first, then by name
  std::vector<HostSum> hosts;    // most requests first
  std::vector<RouteSum> routes;  // most frequent first
  std::vector<KeySum> keys;      // by name
  double spent_today_usd = 0.0;  // reservations that are open included
};

class Usage {
 public:
  Usage(store::Database& database, const Clock& clock) : database_(database), clock_(clock) {}
  Status record(const ModelCall& call);
  // Of today and the `days` - 1 days before, in the machine's zone.
  Result<Report> report(int days);
  // Of the same time: by key.
  Result<std::vector<KeySum>> keys(int days);
  WallMs since(int days) const;

 private:
  store::Database& database_;
  const Clock& clock_;
};

}  // namespace keel::account
