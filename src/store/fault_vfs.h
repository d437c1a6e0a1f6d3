// For tests: an SQLite VFS on top of the system's one, that fails chosen writes and syncs. Counting
// is across all files of the VFS: a call is one xWrite, xTruncate or xSync. Thread-safe. Only one
// at a time (its switch is global).
//
//   FaultVfs faults;                                  // registers the VFS "keel-fault"
//   options.vfs = FaultVfs::name;
//   faults.fail_at(faults.calls() + 3, SQLITE_FULL);  // the third call from now, and all after it
//   faults.heal();
#pragma once

#include <sqlite3.h>

#include <atomic>
#include <cstdint>
#include <limits>

namespace keel::store {

class FaultVfs {
 public:
  static constexpr const char* name = "keel-fault";

  FaultVfs() {
    base_ = sqlite3_vfs_find(nullptr);
    vfs_ = *base_;
    vfs_.zName = name;
    vfs_.pNext = nullptr;
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + base_->szOsFile;
    vfs_.pAppData = base_;
    vfs_.xOpen = open;
    sqlite3_vfs_register(&vfs_, 0);
    heal();
    counter() = 0;
  }
  ~FaultVfs() { sqlite3_vfs_unregister(&vfs_); }
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

  // From call number `first` on (once: only that one), writes and truncates give `code`; syncs do
  // only for an I/O error.
  void fail_at(std::int64_t first, int code, bool once = false) {
    error() = code;
    only_once() = once;
    first_failing() = first;
  }
  void heal() { first_failing() = std::numeric_limits<std::int64_t>::max(); }
  std::int64_t calls() const { return counter(); }

 private:
  struct File {
    sqlite3_file base;
    sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
    const sqlite3_io_methods* methods() { return real()->pMethods; }
  };
  static File* file(sqlite3_file* handle) { return reinterpret_cast<File*>(handle); }

  static std::atomic<std::int64_t>& counter() {
    static std::atomic<std::int64_t> value{0};
    return value;
  }
  static std::atomic<std::int64_t>& first_failing() {
    static std::atomic<std::int64_t> value{0};
    return value;
  }
  static std::atomic<int>& error() {
    static std::atomic<int> value{0};
    return value;
  }
  static std::atomic<bool>& only_once() {
    static std::atomic<bool> value{false};
    return value;
  }

  static bool fails() {
    std::int64_t call = ++counter();
    return only_once() ? call == first_failing() : call >= first_failing();
  }

  static int open(sqlite3_vfs* vfs, sqlite3_filename path, sqlite3_file* handle, int flags,
                  int* out_flags) {
    auto* base = static_cast<sqlite3_vfs*>(vfs->pAppData);
    handle->pMethods = nullptr;
    int code = base->xOpen(base, path, file(handle)->real(), flags, out_flags);
    if (code == SQLITE_OK) handle->pMethods = &io_methods();
    return code;
  }

  static int write(sqlite3_file* f, const void* data, int size, sqlite3_int64 at) {
    if (fails()) return error() == SQLITE_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    return file(f)->methods()->xWrite(file(f)->real(), data, size, at);
  }
  static int truncate(sqlite3_file* f, sqlite3_int64 size) {
    if (fails() && error() != SQLITE_FULL) return SQLITE_IOERR_TRUNCATE;
    return file(f)->methods()->xTruncate(file(f)->real(), size);
  }
  static int sync(sqlite3_file* f, int flags) {
    if (fails() && error() != SQLITE_FULL) return SQLITE_IOERR_FSYNC;
    return file(f)->methods()->xSync(file(f)->real(), flags);
  }

  static const sqlite3_io_methods& io_methods() {
    static const sqlite3_io_methods methods = {
        3,
        [](sqlite3_file* f) { return file(f)->methods()->xClose(file(f)->real()); },
        [](sqlite3_file* f, void* out, int size, sqlite3_int64 at) {
          return file(f)->methods()->xRead(file(f)->real(), out, size, at);
        },
        write,
        truncate,
        sync,
        [](sqlite3_file* f, sqlite3_int64* size) {
          return file(f)->methods()->xFileSize(file(f)->real(), size);
        },
        [](sqlite3_file* f, int level) {
          return file(f)->methods()->xLock(file(f)->real(), level);
        },
        [](sqlite3_file* f, int level) {
          return file(f)->methods()->xUnlock(file(f)->real(), level);
        },
        [](sqlite3_file* f, int* out) {
          return file(f)->methods()->xCheckReservedLock(file(f)->real(), out);
        },
        [](sqlite3_file* f, int op, void* arg) {
          return file(f)->methods()->xFileControl(file(f)->real(), op, arg);
        },
        [](sqlite3_file* f) { return file(f)->methods()->xSectorSize(file(f)->real()); },
        [](sqlite3_file* f) { return file(f)->methods()->xDeviceCharacteristics(file(f)->real()); },
        [](sqlite3_file* f, int page, int size, int extend, void volatile** out) {
          return file(f)->methods()->xShmMap(file(f)->real(), page, size, extend, out);
        },
        [](sqlite3_file* f, int offset, int n, int flags) {
          return file(f)->methods()->xShmLock(file(f)->real(), offset, n, flags);
        },
        [](sqlite3_file* f) { file(f)->methods()->xShmBarrier(file(f)->real()); },
        [](sqlite3_file* f, int remove) {
          return file(f)->methods()->xShmUnmap(file(f)->real(), remove);
        },
        [](sqlite3_file* f, sqlite3_int64 at, int size, void** out) {
          return file(f)->methods()->xFetch(file(f)->real(), at, size, out);
        },
        [](sqlite3_file* f, sqlite3_int64 at, void* page) {
          return file(f)->methods()->xUnfetch(file(f)->real(), at, page);
        },
    };
    return methods;
  }

  sqlite3_vfs* base_ = nullptr;
  sqlite3_vfs vfs_{};
};

}  // namespace keel::store
