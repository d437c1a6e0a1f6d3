#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/id.h"
#include "base/limits.h"
#include "rt/child.h"
#include "rt/cpu_use.h"
#include "rt/file.h"
#include "rt/frame.h"
#include "rt/patience_test.h"
#include "rt/queue.h"
#include "rt/thread.h"

namespace keel::rt {
namespace {

std::string fresh_folder() {
  const std::string path = testing::TempDir() + "/keel-rt-" + random_hex(6);
  MUST(make_folder(path));
  return path;
}

ChildOptions shell(const std::string& script) {
  return {.argv = {"/bin/sh", "-c", script}, .environment = {"PATH=/usr/bin:/bin"}, .quiet = true};
}

TEST(Queue, AFullQueueRefusesInsteadOfGrowing) {
  Queue<int> queue(2);
  EXPECT_TRUE(queue.push(1));
  EXPECT_TRUE(queue.push(2));
  EXPECT_FALSE(queue.push(3));
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_TRUE(queue.push(3));
}

TEST(Queue, AWaitingThreadLeavesWhenStoppedOrClosed) {
  Queue<int> queue(1);
  std::atomic<int> left = 0;
  {
    Thread stopped = start_thread("stopped", [&](std::stop_token stop) {
      EXPECT_FALSE(queue.pop(stop));
      ++left;
    });
    stopped.request_stop();
  }
  Thread closed = start_thread("closed", [&](std::stop_token stop) {
    EXPECT_FALSE(queue.pop(stop));
    ++left;
  });
  queue.close();
  closed.join();
  EXPECT_EQ(left, 2);
}

TEST(Queue, AllItemsOfManyThreadsArrive) {
  Queue<int> queue(4);
  long sum = 0;
  Thread reader = start_thread("reader", [&](std::stop_token stop) {
    while (auto item = queue.pop(stop)) sum += *item;
  });
  {
    std::vector<Thread> writers;
    for (int w = 0; w < 4; ++w) {
      writers.push_back(start_thread("writer", [&](std::stop_token) {
        for (int i = 1; i <= 500; ++i) queue.push_wait(int(i));
      }));
    }
  }
  queue.close();
  reader.join();
  EXPECT_EQ(sum, 4 * 500 * 501 / 2);
}

TEST(Thread, AWaitEndsWithItsTimeOrItsStopToken) {
  std::stop_source stop;
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_TRUE(wait_for(std::chrono::milliseconds(20), stop.get_token()));
  EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(20));
  const Thread other = start_thread("stopper", [&](std::stop_token) { stop.request_stop(); });
  EXPECT_FALSE(wait_for(std::chrono::hours(1), stop.get_token()));
  EXPECT_FALSE(wait_for(std::chrono::hours(1), stop.get_token()));
  EXPECT_FALSE(wait_for({}, stop.get_token()));
}

TEST(Frame, MessagesArriveWholeAndInOrder) {
  auto [a, b] = *socket_pair();
  FrameSocket left(std::move(a)), right(std::move(b));
  const std::string big(1 << 20, 'x');
  Thread sender = start_thread("sender", [&](std::stop_token) {
    MUST(left.send("one"));
    MUST(left.send(""));
    MUST(left.send(big));
  });
  EXPECT_EQ(**right.receive(), "one");
  EXPECT_EQ(**right.receive(), "");
  EXPECT_EQ(**right.receive(), big);
  EXPECT_FALSE(right.receive(10)->has_value());
}

TEST(Frame, AGonePeerIsAnErrorNotASignal) {
  auto [a, b] = *socket_pair();
  FrameSocket left(std::move(a));
  b.reset();
  EXPECT_EQ(left.receive().error().code, Code::unavailable);
  Status sent;
  for (int i = 0; i < 3 && sent; ++i) sent = left.send("x");
  EXPECT_EQ(sent.error().code, Code::unavailable);
}

TEST(Frame, AStreamCutInsideAMessageIsCorrupt) {
  auto [a, b] = *socket_pair();
  ASSERT_EQ(::write(a.get(), "\x08\0\0\0half", 8), 8);
  a.reset();
  FrameSocket right(std::move(b));
  EXPECT_EQ(right.receive().error().code, Code::corrupt);
}

TEST(Frame, AHugeClaimedLengthIsNotAllocated) {
  auto [a, b] = *socket_pair();
  ASSERT_EQ(::write(a.get(), "\xff\xff\xff\x7f", 4), 4);
  FrameSocket right(std::move(b));
  EXPECT_EQ(right.receive().error().code, Code::corrupt);
  EXPECT_EQ(FrameSocket(std::move(a)).send(std::string(limits::frame_bytes + 1, 'x')).error().code,
            Code::limit);
}

TEST(Frame, AUnixSocketIsForItsOwnerOnly) {
  const std::string path = fresh_folder() + "/s";
  Fd listening = MUST(listen_unix(path));
  struct stat info{};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  Fd client = MUST(connect_unix(path));
  EXPECT_EQ(*peer_uid(client.get()), ::getuid());
  EXPECT_EQ(listen_unix(std::string(200, 'x')).error().code, Code::limit);
}

TEST(Child, ExitCodesAndSignalsAreTold) {
  Child exits = MUST(Child::spawn(shell("exit 3")));
  EXPECT_EQ(exits.wait()->code, 3);
  Child dies = MUST(Child::spawn(shell("kill -SEGV $$")));
  EXPECT_EQ(dies.wait()->signal, SIGSEGV);
  EXPECT_NE(dies.wait()->text().find("signal 11"), std::string::npos);
}

TEST(Child, AMissingProgramIsAnErrorOfSpawn) {
  EXPECT_EQ(Child::spawn({.argv = {"/no/such/program"}}).error().code, Code::not_found);
}

TEST(Child, TheWholeGroupDiesWithItsOwner) {
  const std::string file = fresh_folder() + "/pid";
  pid_t grandchild = 0;
  {
    Child child = MUST(Child::spawn(shell("sleep 60 & echo $! > " + file + "; wait")));
    ASSERT_TRUE(eventually([&] {
      auto text = read_file(file, 100);
      if (!text || !text->ends_with("\n")) return false;
      grandchild = std::stoi(*text);
      return true;
    }));
  }
  // The grandchild is reaped by whoever adopted it; until then it is a zombie, which kill() still
  // finds.
  std::string state;
  EXPECT_TRUE(eventually([&] {
    const auto stat = read_file("/proc/" + std::to_string(grandchild) + "/stat", 4096);
    state = stat ? stat->substr(stat->rfind(')') + 2, 1) : "";
    return state.empty() || state == "Z";
  })) << state;
}

TEST(Child, TheInheritedDescriptorIsNumberThree) {
  auto [ours, theirs] = *socket_pair();
  ChildOptions options = shell("echo hi >&3");
  options.inherit_fd = theirs.get();
  Child child = MUST(Child::spawn(options));
  theirs.reset();
  char buffer[8] = {};
  EXPECT_EQ(::read(ours.get(), buffer, sizeof buffer), 3);
  EXPECT_STREQ(buffer, "hi\n");
}

TEST(File, AWriteReplacesTheWholeFileOrNothing) {
  const std::string path = fresh_folder() + "/f";
  MUST(write_file(path, "old"));
  MUST(write_file(path, "new content"));
  EXPECT_EQ(*read_file(path, 100), "new content");
  struct stat info{};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_FALSE(write_file("/proc/keel/none", "x"));
}

TEST(File, ReadingIsBoundedAndForRegularFilesOnly) {
  const std::string path = fresh_folder() + "/f";
  MUST(write_file(path, "0123456789"));
  EXPECT_EQ(read_file(path, 9).error().code, Code::limit);
  EXPECT_EQ(read_file("/dev/zero", 10).error().code, Code::invalid_argument);
  EXPECT_EQ(read_file("/", 10).error().code, Code::invalid_argument);
  EXPECT_EQ(read_file(path + "x", 10).error().code, Code::not_found);
}

TEST(File, ALockIsHeldByOneAtATime) {
  const std::string path = fresh_folder() + "/lock";
  Fd held = MUST(lock_file(path));
  EXPECT_EQ(lock_file(path).error().code, Code::busy);
  held.reset();
  EXPECT_TRUE(lock_file(path));
}

TEST(File, FoldersAreMadeWithTheirParents) {
  const std::string base = fresh_folder();
  EXPECT_TRUE(make_folder(base + "/a/b/c"));
  EXPECT_TRUE(make_folder(base + "/a/b/c"));
  MUST(write_file(base + "/file", ""));
  EXPECT_FALSE(make_folder(base + "/file"));
  EXPECT_FALSE(make_folder(base + "/file/x"));
}

TEST(CpuUse, WorkIsCountedWithoutIdleAndGuests) {
  EXPECT_EQ(busy_seconds("cpu  100 20 30 4000 500 6 7 8 100 20\ncpu0 1 2\n", 100), 1.71);
  for (const char* text : {"", "cpu", "cpu  1 2", "cpu  a b c d e", "intr 1 2 3 4 5 6"})
    EXPECT_FALSE(busy_seconds(text, 100)) << text;
}

TEST(CpuUse, OwnWorkIsNotTakenForThatOfOthers) {
  OtherCpuUse use;
  EXPECT_EQ(use.processors(), 0.0);
  const auto processors = static_cast<double>(::sysconf(_SC_NPROCESSORS_ONLN));
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(600);
  double most = 0.0;
  while (std::chrono::steady_clock::now() < end) most = std::max(most, use.processors());
  EXPECT_LT(most, processors - 0.2);  // this thread had most of one to itself
}

}  // namespace
}  // namespace keel::rt
