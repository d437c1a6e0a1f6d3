// A zip archive, as programs give their exports: what is in it, and one entry at a time written to
// a file. Stored and deflated entries, zip64; no encryption, no archive in several parts. Bounds:
// limits::zip_*, and for an entry what the caller allows. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "rt/fd.h"

namespace keel::memory {

class Zip {
 public:
  struct Entry {
    std::string name;         // as in the archive; folders end with a slash
    std::uint64_t bytes = 0;  // unpacked, as the archive says
    std::uint64_t packed = 0;
    std::uint64_t at = 0;  // of its header
    std::uint32_t crc = 0;
    std::uint16_t method = 0;
    bool encrypted = false;
    bool is_folder() const { return name.ends_with('/'); }
    // Relative, without "..", so that it stays where it is unpacked.
    bool is_safe() const;
  };

  // Code::unsupported for a file that is no zip archive, Code::corrupt for one that is cut off.
  static Result<Zip> open(const std::string& path);
  const std::vector<Entry>& entries() const { return entries_; }
  // Code::corrupt where the bytes do not come out as the archive says, also if they would be more.
  Status unpack(const Entry& entry, const std::string& to) const;

 private:
  Zip(rt::Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  Status read_directory(std::uint64_t file_bytes);
  Result<std::string> read(std::uint64_t at, std::size_t bytes) const;
  Status add_entry(const std::string& directory, std::size_t& at);
  Status corrupt(const std::string& what) const;

  rt::Fd fd_;
  std::string path_;
  std::vector<Entry> entries_;
};

}  // namespace keel::memory
