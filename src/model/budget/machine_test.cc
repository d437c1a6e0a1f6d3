#include "model/budget/machine.h"

#include <gtest/gtest.h>

#include "model/budget/fixture_test.h"

namespace keel::budget {
namespace {

Machine look(const FakeSource& source) {
  return MUST(look_at_machine(source));
}

TEST(MachineTest, ADesktop) {
  const Machine machine = look(linux_source(16));
  EXPECT_EQ(machine.system, System::linux_kernel);
  EXPECT_EQ(machine.ram_bytes, 16 * kGiB);
  EXPECT_EQ(machine.available_bytes, 14 * kGiB);
  EXPECT_EQ(machine.swap_free_bytes, 2 * kGiB);
  EXPECT_EQ(machine.group_limit_bytes, 0);
  EXPECT_EQ(machine.room_bytes(), 14 * kGiB);
  EXPECT_EQ(machine.most_bytes(), 16 * kGiB);
  EXPECT_EQ(machine.lockable_bytes, 8 * kMiB);
  EXPECT_EQ(machine.huge_pages, "madvise");
}

TEST(MachineTest, TheTightestGroupOfVersionTwoCounts) {
  FakeSource source = linux_source(64);
  const std::string root = "/sys/fs/cgroup/user.slice";
  source.files[root + "/session.scope/memory.max"] = "max\n";
  source.files[root + "/memory.max"] = "8589934592\n";
  source.files[root + "/memory.high"] = "6442450944\n";
  source.files[root + "/memory.current"] = "3221225472\n";
  source.files[root + "/memory.stat"] =
      "anon 1073741824\nfile 2147483648\ninactive_file 1073741824\nactive_file 1073741824\n";
  const Machine machine = look(source);
  EXPECT_EQ(machine.group_limit_bytes, 6 * kGiB);
  EXPECT_EQ(machine.group_used_bytes, kGiB) << "files that are only kept for speed can be dropped";
  EXPECT_EQ(machine.group_file, root + "/memory.high");
  EXPECT_EQ(machine.room_bytes(), 5 * kGiB);
  EXPECT_EQ(machine.most_bytes(), 6 * kGiB);
}

TEST(MachineTest, AContainerSeesItsGroupAsTheRoot) {
  FakeSource source = linux_source(64);
  source.files["/proc/self/cgroup"] = "0::/\n";
  source.files["/sys/fs/cgroup/memory.max"] = "2147483648\n";
  source.files["/sys/fs/cgroup/memory.current"] = "536870912\n";
  EXPECT_EQ(look(source).room_bytes(), kGiB + kGiB / 2);
}

TEST(MachineTest, GroupsOfVersionOne) {
  FakeSource source = linux_source(64);
  source.files["/proc/self/cgroup"] = "9:cpu,cpuacct:/a\n4:memory:/docker/17\n0::/\n";
  const std::string folder = "/sys/fs/cgroup/memory";
  source.files[folder + "/memory.limit_in_bytes"] = "9223372036854771712\n";  // none
  source.files[folder + "/docker/17/memory.limit_in_bytes"] = "4294967296\n";
  source.files[folder + "/docker/17/memory.usage_in_bytes"] = "2147483648\n";
  source.files[folder + "/docker/17/memory.stat"] = "cache 1\ntotal_inactive_file 1073741824\n";
  const Machine machine = look(source);
  EXPECT_EQ(machine.group_limit_bytes, 4 * kGiB);
  EXPECT_EQ(machine.room_bytes(), 3 * kGiB);
  // Seen from inside, the path of the group does not exist.
  source.files.erase(folder + "/docker/17/memory.limit_in_bytes");
  source.files[folder + "/memory.limit_in_bytes"] = "1073741824\n";
  EXPECT_EQ(look(source).group_limit_bytes, kGiB);
}

TEST(MachineTest, LockingIsAllowedByRightOrByLimit) {
  FakeSource source = linux_source(16);
  source.files["/proc/self/status"] = "CapEff:\t0000000000004000\n";  // CAP_IPC_LOCK
  EXPECT_EQ(look(source).lockable_bytes, -1);
  source = linux_source(16);
  source.files["/proc/self/limits"] = "Max locked memory         unlimited   unlimited  bytes\n";
  EXPECT_EQ(look(source).lockable_bytes, -1);
  source.files.erase("/proc/self/limits");
  EXPECT_EQ(look(source).lockable_bytes, 0);
}

TEST(MachineTest, AMac) {
  const Machine machine = look(mac_source(48, 40000));
  EXPECT_EQ(machine.system, System::mac);
  EXPECT_EQ(machine.ram_bytes, 48 * kGiB);
  EXPECT_EQ(machine.available_bytes, 48 * kGiB / 100 * 90);
  EXPECT_EQ(machine.wired_limit_mb, 40000);
}

TEST(MachineTest, ASystemThatSaysNothingIsAnError) {
  const auto machine = look_at_machine(FakeSource());
  ASSERT_FALSE(machine);
  EXPECT_EQ(machine.error().code, Code::unsupported);
}

TEST(MachineTest, ThisMachineIsRead) {
  const auto machine = look_at_machine(*system_source());
  ASSERT_TRUE(machine) << machine.error().text();
  EXPECT_GT(machine->ram_bytes, 100 * kMiB);
  EXPECT_GT(machine->room_bytes(), 0);
  EXPECT_LE(machine->room_bytes(), machine->most_bytes());
}

}  // namespace
}  // namespace keel::budget
