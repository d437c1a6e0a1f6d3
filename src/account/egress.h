// The ledger of what leaves the machine: a row before the first byte goes, completed after
// (docs/formats/account.md, "Egress"). A row that cannot be written stops the request.
//
// Threads: any; begin() and end() wait for their commit.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/client.h"
#include "store/database.h"

namespace keel::account {

struct EgressRow {
  WallMs at_ms = 0;
  std::string host;
  net::Why why;
  std::string state;  // intent, done, failed, lost
  int status = 0;
  std::int64_t bytes_out = 0;
  std::int64_t bytes_in = 0;
  double ms = 0.0;
  std::string error;
};

class EgressLedger final : public net::EgressLedger {
 public:
  EgressLedger(store::Database& database, const Clock& clock)
      : database_(database), clock_(clock) {}

  Result<std::int64_t> begin(const std::string& host, const net::Why& why) override;
  void end(std::int64_t entry, const net::Moved& moved) override;

  // Newest first, at most `limit`.
  Result<std::vector<EgressRow>> rows(WallMs since, int limit);
  // Counters of this process for Prometheus.
  std::string metrics() const;

 private:
  store::Database& database_;
  const Clock& clock_;
  std::atomic<std::uint64_t> requests_{0};
  std::atomic<std::uint64_t> bytes_out_{0};
  std::atomic<std::uint64_t> bytes_in_{0};
};

}  // namespace keel::account
