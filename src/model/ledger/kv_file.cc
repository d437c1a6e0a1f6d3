#include "model/ledger/kv_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <limits>
#include <mutex>
#include <set>

#include "base/hash.h"
#include "base/limits.h"
#include "rt/file.h"
#include "rt/thread.h"

namespace keel::local {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "KEELKV1\n";
constexpr std::size_t kHashBytes = 64;  // hex digits of a SHA-256
// Of a model's file that its fingerprint is made of: the head, the end, and places between.
constexpr std::size_t kEndBytes = 1u << 20;
constexpr std::size_t kSampleBytes = 4096;
constexpr std::int64_t kSamples = 64;
constexpr std::uint64_t kSegmentMark = 0x31474553;  // "SEG1"

struct SegmentHead {
  std::uint64_t mark = kSegmentMark;
  std::uint64_t from = 0;
  std::uint64_t tokens = 0;
  std::uint64_t state_bytes = 0;
};

std::string_view bytes_of(const auto& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}
template <class T>
std::string_view bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

std::string checksum(const SegmentHead& head, const KvSegment& segment) {
  Sha256 hash;
  hash.update(bytes_of(head));
  hash.update(bytes_of(segment.tokens));
  hash.update(bytes_of(segment.state));
  return hash.finish_hex();
}

// The beginning of a segment; false if that is not whole or says what cannot be.
bool read_tokens(std::istream& in, std::uint64_t left, SegmentHead& head, KvSegment& segment) {
  if (!in.read(reinterpret_cast<char*>(&head), sizeof head) || head.mark != kSegmentMark)
    return false;
  left -= std::min<std::uint64_t>(left, sizeof head);
  if (head.tokens > left / sizeof(std::int32_t)) return false;
  if (head.state_bytes > left - head.tokens * sizeof(std::int32_t)) return false;
  segment.from = head.from;
  segment.tokens.resize(head.tokens);
  in.read(reinterpret_cast<char*>(segment.tokens.data()),
          static_cast<std::streamsize>(head.tokens * sizeof(std::int32_t)));
  return in.good();
}

// Reads one segment; false at the end of what is whole.
bool read_segment(std::istream& in, std::uint64_t left, KvSegment& segment) {
  SegmentHead head;
  if (!read_tokens(in, left, head, segment)) return false;
  segment.state.resize(head.state_bytes);
  std::string sum(kHashBytes, '\0');
  in.read(reinterpret_cast<char*>(segment.state.data()),
          static_cast<std::streamsize>(head.state_bytes));
  in.read(sum.data(), static_cast<std::streamsize>(sum.size()));
  return in.good() && sum == checksum(head, segment);
}

// Without those of which a later one takes back everything.
std::vector<KvSegment> still_valid(std::vector<KvSegment> segments) {
  std::size_t least = std::numeric_limits<std::size_t>::max();
  for (auto it = segments.rbegin(); it != segments.rend(); ++it) {
    const bool is_void = it->from >= least;
    least = std::min(least, it->from);
    if (is_void) it->tokens.clear();
  }
  std::erase_if(segments, [](const KvSegment& segment) { return segment.tokens.empty(); });
  return segments;
}

bool write_segment(std::ostream& out, const KvSegment& segment) {
  const SegmentHead head{kSegmentMark, segment.from, segment.tokens.size(), segment.state.size()};
  for (const std::string_view part :
       {bytes_of(head), bytes_of(segment.tokens), bytes_of(segment.state)})
    out.write(part.data(), static_cast<std::streamsize>(part.size()));
  out << checksum(head, segment);
  return static_cast<bool>(out.flush());
}

}  // namespace

struct KvFiles::State {
  struct Job {
    std::string conversation;
    KvSegment segment;
  };
  std::string folder;
  std::string fingerprint;
  std::mutex mutex;
  std::condition_variable_any changed;
  std::deque<Job> waiting;
  bool writing = false;
  std::set<std::string> failed;  // conversations whose file had to be given up
  rt::Thread writer;             // the last member: it uses the others

  std::string path(const std::string& conversation) const {
    return folder + "/" + sha256_hex(conversation) + ".kv";
  }
  std::string head() const { return std::string(kMagic) + fingerprint; }
  struct Entry {
    fs::file_time_type time;
    std::uintmax_t bytes = 0;
    fs::path path;
  };
  std::vector<Entry> list() const;  // the newest first
  bool open(const std::string& file, std::ifstream& in) const;
  void run(std::stop_token stop);
  bool write(const Job& job);
  void make_room(const std::string& keep) const;
};

// A file keeps only whole segments: what a kill cut off is overwritten by whoever appends next,
// because load() cuts the file to what it could read.
bool KvFiles::State::write(const Job& job) {
  const std::string file = path(job.conversation);
  const bool fresh = job.segment.from == 0;
  const std::string target = fresh ? file + ".new" : file;
  {
    std::ofstream out(target, fresh ? std::ios::binary | std::ios::trunc
                                    : std::ios::binary | std::ios::app | std::ios::ate);
    ::chmod(target.c_str(), 0600);
    if (fresh) out << head();
    if (!out || (!fresh && out.tellp() <= 0) || !write_segment(out, job.segment)) {
      out.close();
      ::unlink(target.c_str());
      return false;
    }
  }
  if (fresh && ::rename(target.c_str(), file.c_str()) != 0) return false;
  make_room(file);
  return true;
}

// Whether the file is one of this model; `in` stands behind its head then.
bool KvFiles::State::open(const std::string& file, std::ifstream& in) const {
  const std::string expected = head();
  std::string found(expected.size(), '\0');
  in.open(file, std::ios::binary);
  return in.read(found.data(), static_cast<std::streamsize>(found.size())) && found == expected;
}

std::vector<KvFiles::State::Entry> KvFiles::State::list() const {
  std::vector<Entry> entries;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::uintmax_t bytes = entry.file_size(error);
    if (!error) entries.push_back({entry.last_write_time(error), bytes, entry.path()});
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.time > b.time; });
  return entries;
}

// The conversations that were used longest ago go first.
void KvFiles::State::make_room(const std::string& keep) const {
  std::uintmax_t total = 0;
  for (const Entry& entry : list()) {
    total += entry.bytes;
    std::error_code error;
    if (total > limits::kv_folder_bytes && entry.path != keep) fs::remove(entry.path, error);
  }
}

void KvFiles::State::run(std::stop_token stop) {
  std::unique_lock lock(mutex);
  for (;;) {
    changed.wait(lock, stop, [&] { return !waiting.empty(); });
    if (waiting.empty()) return;  // stopped, and all is written
    const Job job = std::move(waiting.front());
    waiting.pop_front();
    // A part that builds on one that could not be written is of no use.
    const bool useless = job.segment.from > 0 && failed.contains(job.conversation);
    writing = true;
    lock.unlock();
    const bool written = !useless && write(job);
    lock.lock();
    writing = false;
    if (!written) failed.insert(job.conversation);
    changed.notify_all();
  }
}

KvFiles::KvFiles(std::unique_ptr<State> state) : state_(std::move(state)) {}

KvFiles::~KvFiles() {
  settle();
}

Result<std::unique_ptr<KvFiles>> KvFiles::open(const std::string& folder,
                                               const std::string& fingerprint) {
  TRY(rt::make_folder(folder));
  KEEL_ASSERT(fingerprint.size() == kHashBytes);
  auto state = std::make_unique<State>();
  state->folder = folder;
  state->fingerprint = fingerprint;
  State* raw = state.get();
  state->writer = rt::start_thread("kv-write", [raw](std::stop_token stop) { raw->run(stop); });
  return std::unique_ptr<KvFiles>(new KvFiles(std::move(state)));
}

std::vector<KvSegment> KvFiles::load(const std::string& conversation) {
  settle();
  std::vector<KvSegment> segments;
  const std::string file = state_->path(conversation);
  std::ifstream in;
  std::error_code error;
  const std::uintmax_t size = fs::file_size(file, error);
  if (error || !state_->open(file, in)) return segments;
  std::uintmax_t whole = state_->head().size();
  std::size_t length = 0;
  KvSegment segment;
  while (whole < size && read_segment(in, size - whole, segment) && segment.from <= length) {
    length = segment.from + segment.tokens.size();
    whole = static_cast<std::uintmax_t>(in.tellg());
    segments.push_back(std::move(segment));
  }
  in.close();
  if (whole < size) fs::resize_file(file, whole, error);
  return still_valid(std::move(segments));
}

std::vector<KvSegment> KvFiles::load_like(const std::vector<std::int32_t>& tokens,
                                          std::size_t least) {
  settle();
  std::vector<KvSegment> found;
  std::size_t looked_at = 0;
  for (const State::Entry& entry : state_->list()) {
    if (++looked_at > limits::kv_looked_at) break;
    std::ifstream in;
    if (!state_->open(entry.path.string(), in)) continue;
    const std::streampos begin = in.tellg();
    // Another process may have made the file longer since it was listed.
    const std::uintmax_t left = entry.bytes - std::min<std::uintmax_t>(entry.bytes, begin);
    SegmentHead head;
    KvSegment segment;
    if (!read_tokens(in, left, head, segment)) continue;
    const std::size_t shared = static_cast<std::size_t>(
        std::mismatch(segment.tokens.begin(), segment.tokens.end(), tokens.begin(), tokens.end())
            .first -
        segment.tokens.begin());
    if (segment.from != 0 || shared < least) continue;
    in.seekg(begin);
    if (!read_segment(in, left, segment)) continue;
    least = shared + 1;
    found.clear();
    found.push_back(std::move(segment));
  }
  return found;
}

bool KvFiles::save(const std::string& conversation, KvSegment segment) {
  const std::lock_guard lock(state_->mutex);
  if (state_->waiting.size() >= limits::kv_waiting) return false;
  state_->waiting.push_back({conversation, std::move(segment)});
  state_->changed.notify_all();
  return true;
}

bool KvFiles::lost(const std::string& conversation) {
  const std::lock_guard lock(state_->mutex);
  return state_->failed.erase(conversation) > 0;
}

void KvFiles::settle() {
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(lock, [&] { return state_->waiting.empty() && !state_->writing; });
}

Result<std::string> model_fingerprint(const std::string& path, const std::string& more) {
  struct stat facts{};
  if (::stat(path.c_str(), &facts) != 0) return tl::unexpected(rt::errno_error(errno, path));
  const std::int64_t size = facts.st_size;
  Sha256 hash;
  hash.update(more + "\n" + std::to_string(size) + " " + std::to_string(facts.st_mtime));
  std::ifstream in(path, std::ios::binary);
  std::string part;
  const auto add = [&](std::int64_t from, std::size_t bytes) {
    part.resize(bytes);
    in.clear();
    in.seekg(std::max<std::int64_t>(from, 0));
    in.read(part.data(), static_cast<std::streamsize>(part.size()));
    hash.update(std::string_view(part).substr(0, static_cast<std::size_t>(in.gcount())));
  };
  add(0, kEndBytes);
  add(size - static_cast<std::int64_t>(kEndBytes), kEndBytes);
  // Models of one family are the same at their head, and may be of one size: their weights differ.
  for (std::int64_t i = 1; i < kSamples; ++i) add(size / kSamples * i, kSampleBytes);
  return hash.finish_hex();
}

}  // namespace keel::local
