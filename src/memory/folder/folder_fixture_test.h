// For tests: a memory and a folder of files beside it.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "base/id.h"
#include "memory/folder/export.h"
#include "memory/folder/sync_rows.h"
#include "memory/memory.h"
#include "store/database.h"
#include "store/test_folder.h"

namespace keel::memory {

class TestFolderMemory : public ::testing::Test {
 protected:
  TestFolderMemory() { open("keel.db"); }

  void open(const std::string& name) {
    memory_.reset();
    database_.reset();
    store::DatabaseOptions options;
    options.path = folder_.file(name);
    options.migrations = migrations();
    for (const store::Migration& one : folder_migrations()) options.migrations.push_back(one);
    database_ = MUST(store::Database::open(options));
    memory_ = std::make_unique<Memory>(*database_, clock_);
  }
  Memory& memory() { return *memory_; }

  Page add(std::string_view body, NewPage page = {}) {
    clock_.advance(std::chrono::milliseconds(1000));
    page.body = body;
    return MUST(memory_->add(page)).page;
  }
  std::string root(const std::string& name = "notes") { return folder_.file(name); }
  void write(const std::string& path, std::string_view text) {
    const std::filesystem::path whole = root() + "/" + path;
    std::filesystem::create_directories(whole.parent_path());
    std::ofstream(whole, std::ios::binary) << text;
  }
  std::string read(const std::string& path) {
    std::ifstream in(root() + "/" + path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  bool exists(const std::string& path) { return std::filesystem::exists(root() + "/" + path); }

  ImportReport import(const ImportOptions& options = {}, const std::string& name = "notes",
                      const RestoreOptions& restore = {}) {
    ImportReport report;
    if (is_export(root(name))) {
      MUST(import_export(memory(), *database_, root(name), options, restore, report));
    } else {
      Intake intake(memory(), options, report);
      MUST(import_notes(root(name), intake, report));
    }
    return report;
  }
  ExportReport export_to(const std::string& name, bool force = false) {
    return MUST(
        export_folder(memory(), *database_, root(name), {"Keel", "2026-11-27T12:00:00Z", force}));
  }
  std::vector<Hit> search(std::string_view text, int limit = 10) {
    Query query;
    query.text = text;
    query.limit = limit;
    return MUST(memory_->search(query)).hits;
  }
  static std::string has_problem(const ImportReport& report, std::string_view file,
                                 std::string_view words) {
    std::string all;
    for (const Problem& one : report.problems) {
      if (one.file == file && one.what.find(words) != std::string::npos) return {};
      all += one.file + ":" + std::to_string(one.line) + ": " + one.what + "\n";
    }
    return all.empty() ? "no problem at all" : all;
  }

  store::TestFolder folder_;
  ManualClock clock_{1'795'000'000'000};
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<Memory> memory_;
};

}  // namespace keel::memory
