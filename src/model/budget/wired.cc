#include "model/budget/wired.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/limits.h"
#include "base/text.h"

namespace keel::budget {
namespace {

constexpr std::int64_t kMiB = std::int64_t{1} << 20;
constexpr const char* kLabel = "keel.wired-limit";

}  // namespace

std::int64_t wired_ceiling_bytes(std::int64_t ram_bytes) {
  if (ram_bytes <= limits::wired_ram_min_bytes) return 0;
  const std::int64_t kept = std::max<std::int64_t>(
      limits::wired_kept_free_bytes, ram_bytes / 100 * limits::wired_kept_free_percent);
  return ram_bytes - kept;
}

Result<WiredLimit> propose_wired_limit(std::int64_t need_bytes, std::int64_t ram_bytes,
                                       std::int64_t working_set_bytes) {
  const std::int64_t ceiling = wired_ceiling_bytes(ram_bytes);
  if (ceiling == 0) {
    return fail(Code::limit,
                fmt::format("a Mac with {} needs the rest of it for the system: the limit of its "
                            "graphics processor is better left alone",
                            bytes_text(ram_bytes)),
                "choose a smaller model");
  }
  const std::int64_t target = need_bytes + limits::wired_margin_bytes;
  if (target > ceiling) {
    return fail(
        Code::limit,
        fmt::format("its graphics processor would have to hold {} of {}, and {} must stay "
                    "free for the system",
                    bytes_text(target), bytes_text(ram_bytes), bytes_text(ram_bytes - ceiling)),
        "choose a smaller model");
  }
  WiredLimit limit;
  const std::int64_t bytes = std::max(target, working_set_bytes);
  limit.mb = (bytes + kMiB - 1) / kMiB;
  limit.kept_free = ram_bytes - limit.mb * kMiB;
  limit.command = fmt::format("sudo sysctl iogpu.wired_limit_mb={}", limit.mb);
  limit.undo = "sudo sysctl iogpu.wired_limit_mb=0";
  return limit;
}

std::string launchd_text(const WiredLimit& limit) {
  return fmt::format(R"(<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN"
  "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!--
  Lets the graphics processor hold {0} MiB in place, from every start of this Mac on.
  Install:  keel model memory (use the same NAME) with launchd, written to {1}.plist, then
            sudo install -o root -g wheel -m 644 {1}.plist /Library/LaunchDaemons/
            sudo launchctl bootstrap system /Library/LaunchDaemons/{1}.plist
  Remove:   sudo launchctl bootout system/{1}
            sudo rm /Library/LaunchDaemons/{1}.plist
            {2}
-->
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>{1}</string>
  <key>ProgramArguments</key>
  <array>
    <string>/usr/sbin/sysctl</string>
    <string>iogpu.wired_limit_mb={0}</string>
  </array>
  <key>RunAtLoad</key>
  <true/>
</dict>
</plist>
)",
                     limit.mb, kLabel, limit.undo);
}

}  // namespace keel::budget
