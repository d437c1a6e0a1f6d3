#include "memory/foreign/zip.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "rt/file.h"

namespace keel::memory {
namespace {

// The records of the format (APPNOTE 6.3): their marks and the bytes before their names.
constexpr std::uint32_t kZipEnd = 0x06054b50, kZipEnd64 = 0x06064b50, kZipLocator64 = 0x07064b50;
constexpr std::uint32_t kCentral = 0x02014b50, kLocal = 0x04034b50;
constexpr std::size_t kZipEndBytes = 22, kZipEnd64Bytes = 56, kLocatorBytes = 20;
constexpr std::size_t kCentralBytes = 46, kLocalBytes = 30;
constexpr std::size_t kCommentBytes = 0xffff;
constexpr std::uint32_t kIn64 = 0xffffffff;
constexpr std::uint16_t kEncrypted = 1, kExtra64 = 1, kStored = 0, kDeflated = 8;
constexpr std::size_t kChunk = 64u << 10;

std::uint64_t number(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;)
    value = value << 8 | static_cast<unsigned char>(at + i < bytes.size() ? bytes[at + i] : 0);
  return value;
}

std::uint16_t u16(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(number(bytes, at, 2));
}
std::uint32_t u32(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint32_t>(number(bytes, at, 4));
}

// The 8-byte numbers that stand in an entry's extra field where its own are too small.
void read_zip64(std::string_view extra, Zip::Entry& entry) {
  for (std::size_t at = 0; at + 4 <= extra.size();) {
    const std::size_t size = u16(extra, at + 2);
    if (u16(extra, at) == kExtra64) {
      std::size_t field = at + 4;
      for (std::uint64_t* value : {&entry.bytes, &entry.packed, &entry.at}) {
        if (*value != kIn64 || field + 8 > std::min(extra.size(), at + 4 + size)) continue;
        *value = number(extra, field, 8);
        field += 8;
      }
      return;
    }
    at += 4 + size;
  }
}

// Writes what it is given to a file, and keeps count.
class Sink {
 public:
  static Result<Sink> open(const std::string& path) {
    const int fd = ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) return tl::unexpected<Error>(rt::errno_error(errno, "could not write " + path));
    return Sink(rt::Fd(fd), path);
  }
  Status write(const unsigned char* data, std::size_t bytes) {
    crc_ = ::crc32(crc_, data, static_cast<uInt>(bytes));
    bytes_ += bytes;
    while (bytes > 0) {
      const ssize_t done = ::write(fd_.get(), data, bytes);
      if (done < 0 && errno == EINTR) continue;
      if (done < 0)
        return tl::unexpected<Error>(rt::errno_error(errno, "could not write " + path_));
      data += done;
      bytes -= static_cast<std::size_t>(done);
    }
    return {};
  }
  std::uint64_t bytes() const { return bytes_; }
  std::uint32_t crc() const { return static_cast<std::uint32_t>(crc_); }

 private:
  Sink(rt::Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  rt::Fd fd_;
  std::string path_;
  uLong crc_ = ::crc32(0, nullptr, 0);
  std::uint64_t bytes_ = 0;
};

// zlib's state, ended with it.
class Inflater {
 public:
  Inflater() { ready_ = ::inflateInit2(&stream_, -MAX_WBITS) == Z_OK; }
  ~Inflater() {
    if (ready_) ::inflateEnd(&stream_);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  // False where the bytes are no deflated data, or come out as more than `most`.
  Result<bool> feed(std::string& in, std::uint64_t most, Sink& sink) {
    stream_.next_in = reinterpret_cast<Bytef*>(in.data());
    stream_.avail_in = static_cast<uInt>(in.size());
    while (ready_ && !ended_) {
      std::array<unsigned char, kChunk> out;
      stream_.next_out = out.data();
      stream_.avail_out = kChunk;
      const int code = ::inflate(&stream_, Z_NO_FLUSH);
      if (code == Z_BUF_ERROR) break;  // wants more
      if (code != Z_OK && code != Z_STREAM_END) return false;
      const std::size_t came = kChunk - stream_.avail_out;
      if (sink.bytes() + came > most) return false;
      TRY(sink.write(out.data(), came));
      ended_ = code == Z_STREAM_END;
      if (stream_.avail_in == 0 && stream_.avail_out > 0) break;
    }
    return ready_;
  }

 private:
  z_stream stream_{};
  bool ready_ = false;
  bool ended_ = false;
};

}  // namespace

bool Zip::Entry::is_safe() const {
  if (name.empty() || name.starts_with('/') || name.find('\\') != std::string::npos ||
      name.find('\0') != std::string::npos)
    return false;
  for (const std::string_view part : split(name, '/'))
    if (part == "..") return false;
  return true;
}

Status Zip::corrupt(const std::string& what) const {
  return fail(Code::corrupt, path_ + " is damaged: " + what + ".", "Get it again.");
}

Result<Zip> Zip::open(const std::string& path) {
  rt::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info{};
  if (!fd || ::fstat(fd.get(), &info) != 0)
    return tl::unexpected<Error>(rt::errno_error(errno, "could not read " + path));
  Zip zip(std::move(fd), path);
  if (!S_ISREG(info.st_mode)) return fail(Code::unsupported, path + " is not a zip archive.");
  TRY(zip.read_directory(static_cast<std::uint64_t>(info.st_size)));
  return zip;
}

Result<std::string> Zip::read(std::uint64_t at, std::size_t bytes) const {
  std::string data(bytes, '\0');
  std::size_t got = 0;
  while (got < bytes) {
    const ssize_t done =
        ::pread(fd_.get(), data.data() + got, bytes - got, static_cast<off_t>(at + got));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return tl::unexpected<Error>(rt::errno_error(errno, "could not read " + path_));
    if (done == 0) break;
    got += static_cast<std::size_t>(done);
  }
  data.resize(got);
  return data;
}

Status Zip::read_directory(std::uint64_t file_bytes) {
  const std::size_t tail_bytes = static_cast<std::size_t>(
      std::min<std::uint64_t>(file_bytes, kZipEndBytes + kCommentBytes + kLocatorBytes));
  const std::uint64_t tail_at = file_bytes - tail_bytes;
  const std::string tail = TRY(read(tail_at, tail_bytes));
  std::size_t end = std::string::npos;
  for (std::size_t at = tail.size() < kZipEndBytes ? 0 : tail.size() - kZipEndBytes + 1;
       at-- > 0;) {
    if (u32(tail, at) != kZipEnd || at + kZipEndBytes + u16(tail, at + 20) != tail.size()) continue;
    end = at;
    break;
  }
  if (end == std::string::npos) {
    const bool begins_like_one = u32(TRY(read(0, 4)), 0) == kLocal;
    return begins_like_one ? corrupt("its end is missing")
                           : fail(Code::unsupported, path_ + " is not a zip archive.");
  }
  std::uint64_t count = u16(tail, end + 10), bytes = u32(tail, end + 12), at = u32(tail, end + 16);
  if (end >= kLocatorBytes && u32(tail, end - kLocatorBytes) == kZipLocator64) {
    const std::string record = TRY(read(number(tail, end - kLocatorBytes + 8, 8), kZipEnd64Bytes));
    if (record.size() < kZipEnd64Bytes || u32(record, 0) != kZipEnd64)
      return corrupt("its directory is not where it should be");
    count = number(record, 32, 8);
    bytes = number(record, 40, 8);
    at = number(record, 48, 8);
  }
  if (count > limits::zip_entries || bytes > limits::zip_directory_bytes)
    return fail(Code::limit,
                path_ + " holds more than " + std::to_string(limits::zip_entries) + " entries.",
                "Unpack it and name the folder.");
  const std::string directory = TRY(read(at, static_cast<std::size_t>(bytes)));
  if (directory.size() < bytes) return corrupt("its directory is cut off");
  std::size_t place = 0;
  for (std::uint64_t i = 0; i < count; ++i) TRY(add_entry(directory, place));
  return {};
}

Status Zip::add_entry(const std::string& directory, std::size_t& at) {
  if (at + kCentralBytes > directory.size() || u32(directory, at) != kCentral)
    return corrupt("its directory is not whole");
  const std::string_view head(directory.data() + at, kCentralBytes);
  const std::size_t name = u16(head, 28), extra = u16(head, 30), comment = u16(head, 32);
  if (at + kCentralBytes + name + extra + comment > directory.size())
    return corrupt("its directory is not whole");
  Entry entry;
  entry.name = directory.substr(at + kCentralBytes, name);
  entry.encrypted = (u16(head, 8) & kEncrypted) != 0;
  entry.method = u16(head, 10);
  entry.crc = u32(head, 16);
  entry.packed = u32(head, 20);
  entry.bytes = u32(head, 24);
  entry.at = u32(head, 42);
  read_zip64(std::string_view(directory).substr(at + kCentralBytes + name, extra), entry);
  at += kCentralBytes + name + extra + comment;
  if (name <= limits::zip_name_bytes) entries_.push_back(std::move(entry));
  return {};
}

Status Zip::unpack(const Entry& entry, const std::string& to) const {
  const std::string shown = printable(entry.name);
  if (entry.encrypted || (entry.method != kStored && entry.method != kDeflated))
    return fail(Code::unsupported,
                shown + " in " + path_ + " is packed in a way that keel does not read.",
                "Unpack the archive and name the folder.");
  const std::string head = TRY(read(entry.at, kLocalBytes));
  if (head.size() < kLocalBytes || u32(head, 0) != kLocal)
    return corrupt(shown + " is not where it should be");
  std::uint64_t at = entry.at + kLocalBytes + u16(head, 26) + u16(head, 28);
  Sink sink = TRY(Sink::open(to));
  Inflater inflater;
  for (std::uint64_t left = entry.packed; left > 0;) {
    std::string data =
        TRY(read(at, static_cast<std::size_t>(std::min<std::uint64_t>(left, kChunk))));
    if (data.empty()) return corrupt(shown + " is cut off");
    at += data.size();
    left -= data.size();
    if (entry.method == kStored)
      TRY(sink.write(reinterpret_cast<const unsigned char*>(data.data()), data.size()));
    else if (!TRY(inflater.feed(data, entry.bytes, sink)))
      return corrupt(shown + " cannot be unpacked");
  }
  if (sink.bytes() != entry.bytes || sink.crc() != entry.crc)
    return corrupt(shown + " does not come out as it went in");
  return {};
}

}  // namespace keel::memory
