#include "model/shelf/partial.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/json.h"
#include "base/limits.h"
#include "rt/file.h"

namespace keel::shelf {
namespace {

constexpr int kStateVersion = 1;

// Takes the blocks now, so that a disk that fills up meanwhile cannot end the download halfway.
// Where the file system cannot do that the file is sparse and grows.
Status reserve(int fd, std::uint64_t bytes, const std::string& path) {
  auto refused = [&](int number) {
    Error error = rt::errno_error(number, "could not reserve the space for " + path);
    if (error.hint.empty()) error.hint = "The file system there may not take files of this size.";
    return tl::unexpected(std::move(error));
  };
  if (::ftruncate(fd, static_cast<off_t>(bytes)) != 0) return refused(errno);
#ifdef __linux__
  if (::fallocate(fd, 0, 0, static_cast<off_t>(bytes)) != 0 && errno != EOPNOTSUPP &&
      errno != ENOSYS && errno != EINTR) {
    return refused(errno);
  }
#endif
  return {};
}

bool is_sound(const std::vector<Span>& missing, std::uint64_t bytes) {
  std::uint64_t at = 0;
  for (const Span& span : missing) {
    if (span.begin < at || span.end <= span.begin || span.end > bytes) return false;
    at = span.end;
  }
  return true;
}

std::uint64_t total(const std::vector<Span>& spans) {
  std::uint64_t sum = 0;
  for (const Span& span : spans) sum += span.bytes();
  return sum;
}

void merge(std::vector<Span>& spans) {
  std::sort(spans.begin(), spans.end(),
            [](const Span& a, const Span& b) { return a.begin < b.begin; });
  std::vector<Span> out;
  for (const Span& span : spans) {
    if (!out.empty() && out.back().end == span.begin) {
      out.back().end = span.end;
    } else {
      out.push_back(span);
    }
  }
  spans = std::move(out);
}

}  // namespace

// Any doubt about the record is a reason to begin anew: the file is only ever worth the time it
// took.
Result<Partial::State> Partial::read_state() const {
  const std::string text = TRY(rt::read_file(state_path(), limits::shelf_state_bytes));
  const Json json = TRY(parse_json(text));
  auto broken = [&] { return fail(Code::corrupt, state_path() + " is not a record of keel's"); };
  const Json* spans = nullptr;
  State state;
  if (!json.is_object() || json_int_or(json, "version", 0) != kStateVersion) return broken();
  if (auto it = json.find("missing"); it != json.end() && it->is_array()) spans = &*it;
  state.version.identity = TRY(json_string(json, "identity"));
  const auto bytes = json.find("bytes");
  if (spans == nullptr || spans->size() > limits::shelf_spans || bytes == json.end() ||
      !bytes->is_number_unsigned()) {
    return broken();
  }
  state.version.bytes = bytes->get<std::uint64_t>();
  for (const Json& span : *spans) {
    if (!span.is_array() || span.size() != 2 || !span[0].is_number_unsigned() ||
        !span[1].is_number_unsigned()) {
      return broken();
    }
    state.missing.push_back({span[0].get<std::uint64_t>(), span[1].get<std::uint64_t>()});
  }
  if (!is_sound(state.missing, state.version.bytes)) return broken();
  struct stat info{};
  if (::lstat(part_path().c_str(), &info) != 0 || !S_ISREG(info.st_mode) ||
      static_cast<std::uint64_t>(info.st_size) != state.version.bytes) {
    return broken();
  }
  return state;
}

std::uint64_t Partial::kept(const Version& version) const {
  const Result<State> state = read_state();
  if (!state || version.identity.empty() || state->version != version) return 0;
  return version.bytes - total(state->missing);
}

Status Partial::begin(const Version& version) {
  version_ = version;
  hand_.clear();
  Result<State> state = read_state();
  if (!state || version.identity.empty() || state->version != version) return start_over(version);
  fd_ = rt::Fd(::open(part_path().c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd_) return tl::unexpected(rt::errno_error(errno, "could not open " + part_path()));
  missing_ = std::move(state->missing);
  return reserve(fd_.get(), version.bytes, part_path());
}

Status Partial::start_over(const Version& version) {
  remove();
  const int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  fd_ = rt::Fd(::open(part_path().c_str(), flags, 0600));
  if (!fd_) return tl::unexpected(rt::errno_error(errno, "could not create " + part_path()));
  missing_ = {{0, version.bytes}};
  Status reserved = reserve(fd_.get(), version.bytes, part_path());
  if (!reserved) {
    remove();
    return reserved;
  }
  return checkpoint();
}

std::optional<Span> Partial::take(std::uint64_t max_bytes) {
  const std::lock_guard lock(mutex_);
  if (missing_.empty()) return std::nullopt;
  Span& first = missing_.front();
  const Span piece{first.begin, first.begin + std::min(first.bytes(), max_bytes)};
  first.begin = piece.end;
  if (first.bytes() == 0) missing_.erase(missing_.begin());
  hand_[piece.end] = piece.begin;
  return piece;
}

Status Partial::store(std::uint64_t at, std::string_view bytes) {
  const std::uint64_t behind = at + bytes.size();
  std::uint64_t to = at;
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const ssize_t n = ::pwrite(fd_.get(), rest.data(), rest.size(), static_cast<off_t>(to));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return tl::unexpected(rt::errno_error(errno, "could not write " + part_path()));
    rest.remove_prefix(static_cast<std::size_t>(n));
    to += static_cast<std::uint64_t>(n);
  }
  const std::lock_guard lock(mutex_);
  const auto taken = hand_.lower_bound(behind);
  KEEL_ASSERT(taken != hand_.end() && taken->second == at);
  taken->second = behind;
  return {};
}

void Partial::give_back(std::uint64_t end) {
  const std::lock_guard lock(mutex_);
  const auto taken = hand_.find(end);
  KEEL_ASSERT(taken != hand_.end());
  if (taken->second < end) missing_.push_back({taken->second, end});
  hand_.erase(taken);
  merge(missing_);
}

void Partial::forget() {
  const std::lock_guard lock(mutex_);
  hand_.clear();
  missing_ = {{0, version_.bytes}};
}

std::uint64_t Partial::arrived_bytes() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t open = total(missing_);
  for (const auto& [end, begin] : hand_) open += end - begin;
  return version_.bytes - open;
}

bool Partial::complete() const {
  const std::lock_guard lock(mutex_);
  return missing_.empty() && hand_.empty();
}

Status Partial::checkpoint() {
  std::vector<Span> open;
  {
    const std::lock_guard lock(mutex_);
    open = missing_;
    for (const auto& [end, begin] : hand_) {
      if (begin < end) open.push_back({begin, end});
    }
  }
  merge(open);
#ifdef __linux__
  const int synced = ::fdatasync(fd_.get());
#else
  const int synced = ::fsync(fd_.get());
#endif
  if (synced != 0) return tl::unexpected(rt::errno_error(errno, "could not sync " + part_path()));
  Json spans = Json::array();
  for (const Span& span : open) spans.push_back({span.begin, span.end});
  return rt::write_file(state_path(), dump_json({{"version", kStateVersion},
                                                 {"bytes", version_.bytes},
                                                 {"identity", version_.identity},
                                                 {"missing", std::move(spans)}}) +
                                          "\n");
}

void Partial::remove() {
  ::unlink(state_path().c_str());
  ::unlink(part_path().c_str());
}

}  // namespace keel::shelf
