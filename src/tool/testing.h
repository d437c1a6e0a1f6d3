// What the tests of tools share: a database in a folder of its own, a memory, a clock that stands
// still and a client, put together as the context of a call. For tests only.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "memory/memory.h"
#include "net/client.h"
#include "tool/registry.h"

namespace keel::tool {

class Bench {
 public:
  // Sunday, 22 November 2026, 18:05:00 UTC.
  static constexpr WallMs kNow = 1'795'370'700'000;

  explicit Bench(std::unique_ptr<Tool> tool, net::ClientOptions options = {})
      : clock_(kNow),
        database_(
            MUST(store::Database::open({folder_.path + "/keel.db", memory::migrations(), 1}))),
        memory_(*database_, clock_),
        net_(std::move(options)),
        name_(tool->spec().name),
        context{.clock = clock_,
                .memory = memory_,
                .net = net_,
                .folders = {},
                .conversation = "c",
                .turn = "t",
                .owner_text = {},
                .known_urls = {},
                .stop = {}} {
    MUST(registry_.add(std::move(tool)));
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  // Through the one door, as the turn does it.
  Outcome call(const std::string& arguments, policy::Label label = {}) {
    return MUST(registry_.invoke({name_, arguments, label}, context));
  }
  std::string text(const std::string& arguments) { return call(arguments).text; }

  const std::string& folder() const { return folder_.path; }
  memory::Memory& memory() { return memory_; }
  const Registry& registry() const { return registry_; }

 private:
  struct Folder {
    std::string path = (std::filesystem::temp_directory_path() / "keel-tool-XXXXXX").string();
    Folder() {
      KEEL_ASSERT(mkdtemp(path.data()) != nullptr);
      path = std::filesystem::canonical(path).string();
    }
    ~Folder() {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
  };

  Folder folder_;
  ManualClock clock_;
  std::unique_ptr<store::Database> database_;
  memory::Memory memory_;
  net::Client net_;
  std::string name_;
  Registry registry_;

 public:
  Context context;
};

}  // namespace keel::tool
