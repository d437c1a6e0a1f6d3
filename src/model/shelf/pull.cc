#include "model/shelf/pull.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/hash.h"
#include "base/text.h"
#include "model/shelf/fetch.h"
#include "model/shelf/hub.h"
#include "model/shelf/meter.h"
#include "model/shelf/partial.h"
#include "rt/file.h"
#include "rt/thread.h"

namespace keel::shelf {
namespace {

constexpr std::size_t kReadBytes = 1u << 20;
constexpr int kAskAttempts = 3;

class Pull {
 public:
  Pull(net::Client& client, const PullOptions& options, std::stop_token stop)
      : options_(options),
        source_(options.source),
        stop_(stop),
        hub_(client, options.source, options.token),
        path_(options.folder + "/" + options.source.file) {}

  Result<Pulled> run();

 private:
  void show(Progress::Phase phase, std::uint64_t done = 0, std::string trouble = {}) const {
    if (options_.progress)
      options_.progress({phase, done, facts_.version.bytes, std::move(trouble)});
  }
  Status ask();
  Status check_against_list() const;
  Result<bool> is_there();
  Status check_disk(const Partial& partial, std::uint64_t kept) const;
  Result<std::string> hash(const std::string& path, std::uint64_t bytes) const;
  Status fetch(Partial& partial);
  Status accept(Partial& partial);
  Error gave_up(const Partial& partial, Error error) const;

  const PullOptions& options_;
  const Source& source_;
  const std::stop_token stop_;
  const Hub hub_;
  const std::string path_;
  bool asked_ = false;
  Facts facts_;
  Pulled pulled_;
};

// The hash that the file must have; empty if nobody announced one.
std::string wanted_hash(const Source& source, const Facts& facts) {
  return source.sha256.empty() ? facts.sha256 : source.sha256;
}

Checked checked_by(const Source& source, const Facts& facts) {
  if (!source.sha256.empty()) return Checked::list;
  return facts.sha256.empty() ? Checked::nothing : Checked::hub;
}

Status Pull::ask() {
  show(Progress::Phase::asking);
  auto wait = options_.retry_wait;
  for (int attempt = 1;; ++attempt) {
    End end = hub_.ask(facts_, stop_);
    if (end.kind == End::Kind::done) break;
    if (stop_.stop_requested()) return fail(Code::cancelled, "stopped before anything was read");
    if (end.kind == End::Kind::again && attempt < kAskAttempts) {
      show(Progress::Phase::waiting, 0, end.error.message);
      rt::wait_for(std::max(wait, end.wait), stop_);
      wait *= 2;
      continue;
    }
    if (end.kind == End::Kind::again) {
      end.error.hint =
          "Check the network connection. Another hub or a mirror can be named in keel.toml: "
          "[hub] base_url = \"https://…\"";
    }
    return tl::unexpected(std::move(end.error));
  }
  asked_ = true;
  return check_against_list();
}

Status Pull::check_against_list() const {
  const bool other_bytes = source_.bytes != 0 && source_.bytes != facts_.version.bytes;
  const bool other_hash =
      !source_.sha256.empty() && !facts_.sha256.empty() && source_.sha256 != facts_.sha256;
  if (!other_bytes && !other_hash) return {};
  return fail(Code::corrupt,
              fmt::format("{} has another file under the name of {} than keel's list knows",
                          source_.url, source_.name),
              "If you trust it, pull it by its address (hf:OWNER/REPO/FILE) instead.");
}

Result<std::string> Pull::hash(const std::string& path, std::uint64_t bytes) const {
  const rt::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return tl::unexpected(rt::errno_error(errno, "could not open " + path));
  Sha256 sha;
  std::string buffer(kReadBytes, '\0');
  std::uint64_t done = 0;
  auto shown = std::chrono::steady_clock::now();
  for (;;) {
    const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return tl::unexpected(rt::errno_error(errno, "could not read " + path));
    if (n == 0) return sha.finish_hex();
    if (stop_.stop_requested()) {
      return fail(Code::cancelled, "stopped while checking the file",
                  "Run the same command again: everything has arrived, only the check is left.");
    }
    sha.update({buffer.data(), static_cast<std::size_t>(n)});
    done += static_cast<std::uint64_t>(n);
    const auto now = std::chrono::steady_clock::now();
    if (now - shown >= limits::shelf_progress_time || done == bytes) {
      if (options_.progress) options_.progress({Progress::Phase::checking, done, bytes, {}});
      shown = now;
    }
  }
}

// Whether the file is on the shelf already, in the version that is wanted.
Result<bool> Pull::is_there() {
  struct stat info{};
  if (::stat(path_.c_str(), &info) != 0) return false;
  const auto bytes = static_cast<std::uint64_t>(info.st_size);
  std::optional<Record> record = read_record(options_.folder, source_.file);
  if (record && record->bytes != bytes) record.reset();
  if (source_.sha256.empty()) TRY(ask());
  const std::string wanted = wanted_hash(source_, facts_);
  bool same = false;
  if (!wanted.empty()) {
    const std::uint64_t size = source_.sha256.empty() ? facts_.version.bytes : source_.bytes;
    if (!record && bytes == size) {
      record = Record{source_.url, facts_.version.identity, bytes, TRY(hash(path_, bytes)),
                      checked_by(source_, facts_)};
      if (record->sha256 == wanted) TRY(write_record(options_.folder, source_.file, *record));
    }
    same = record && record->sha256 == wanted && bytes == size;
  } else {
    same = record && bytes == facts_.version.bytes && !record->identity.empty() &&
           record->identity == facts_.version.identity;
  }
  if (same) {
    pulled_.record = *record;
    pulled_.was_there = true;
    return true;
  }
  if (options_.replace) return false;
  return fail(Code::already_exists, fmt::format("{} is there already, and is another file", path_),
              "Give the new one another name with --name NAME, or replace it with --replace.");
}

Status Pull::check_disk(const Partial& partial, std::uint64_t kept) const {
  if (!options_.free_bytes) return {};
  struct stat info{};
  // Blocks that an earlier run reserved are ours already.
  std::uint64_t reserved = 0;
  if (kept > 0 && ::stat(partial.part_path().c_str(), &info) == 0)
    reserved = static_cast<std::uint64_t>(info.st_blocks) * 512;
  const std::uint64_t bytes = facts_.version.bytes;
  const std::uint64_t needed = bytes - std::min(bytes, reserved) + limits::shelf_disk_kept_bytes;
  const std::optional<std::uint64_t> free = options_.free_bytes(options_.folder);
  if (!free || *free >= needed) return {};
  return fail(Code::disk_full,
              fmt::format("{} needs {} of disk space in {}, and {} are free", source_.name,
                          bytes_text(needed), options_.folder, bytes_text(*free)),
              "Free some space, or choose a smaller model. Nothing was read.");
}

Error Pull::gave_up(const Partial& partial, Error error) const {
  const std::uint64_t kept = facts_.resumable() ? partial.arrived_bytes() : 0;
  const std::string amount =
      fmt::format("{} of {}", bytes_text(kept), bytes_text(facts_.version.bytes));
  const std::string keeps =
      kept == 0 ? "Run the same command again."
                : fmt::format("{} are kept: the same command goes on from there.", amount);
  if (error.code == Code::cancelled) error.message = "stopped";
  error.message = fmt::format("{} did not arrive: {}", source_.name, error.message);
  const bool own_words = error.code != Code::cancelled && error.code != Code::network &&
                         error.code != Code::timeout && !error.hint.empty();
  error.hint = own_words ? error.hint + (error.hint.ends_with('.') ? " " : ". ") + keeps : keeps;
  return error;
}

Status Pull::fetch(Partial& partial) {
  for (int version = 1;; ++version) {
    const std::uint64_t kept = partial.kept(facts_.version);
    if (version == 1) pulled_.kept_bytes = kept;
    TRY(check_disk(partial, kept));
    if (Status begun = partial.begin(facts_.version); !begun) {
      return tl::unexpected(gave_up(partial, begun.error()));
    }
    Fetch fetch(hub_, facts_, partial, options_);
    End end = fetch.run(stop_);
    if (end.kind == End::Kind::done) return {};
    if (end.kind != End::Kind::changed) {
      return tl::unexpected(gave_up(partial, std::move(end.error)));
    }
    if (version == limits::shelf_versions) {
      return fail(Code::network,
                  fmt::format("{} changes while it is read: {}", source_.url, end.error.message),
                  "Try again later.");
    }
    TRY(ask());
  }
}

// The file becomes one of the shelf, or goes.
Status Pull::accept(Partial& partial) {
  const std::string wanted = wanted_hash(source_, facts_);
  const std::string sha256 = TRY(hash(partial.part_path(), facts_.version.bytes));
  if (!wanted.empty() && sha256 != wanted) {
    partial.remove();
    return fail(Code::corrupt,
                fmt::format("what came from {} is not the file that was announced (sha256 {}, not "
                            "{})",
                            source_.url, sha256, wanted),
                "It was removed. Run the same command again; if that ends the same way, take the "
                "file from another place.");
  }
  if (Status sound = options_.check ? options_.check(partial.part_path()) : Status{}; !sound) {
    partial.remove();
    Error error = sound.error();
    error.message =
        fmt::format("{} is not a model that keel can use: {}", source_.url, error.message);
    error.hint = "It was removed. Choose another file.";
    return tl::unexpected(std::move(error));
  }
  pulled_.record = {source_.url, facts_.version.identity, facts_.version.bytes, sha256,
                    checked_by(source_, facts_)};
  // At no moment does a record stand beside a file that it is not about.
  forget_record(options_.folder, source_.file);
  TRY(rt::move_file(partial.part_path(), path_));
  TRY(write_record(options_.folder, source_.file, pulled_.record));
  partial.remove();
  return {};
}

Result<Pulled> Pull::run() {
  const std::string base = TRY(shelf_folder(options_.folder)) + "/" + source_.file;
  Result<rt::Fd> lock = rt::lock_file(base + ".lock");
  if (!lock && lock.error().code == Code::busy) {
    return fail(Code::busy, fmt::format("another keel is pulling {} at this moment", source_.name),
                "Wait for it, or end it: what has arrived is kept.");
  }
  if (!lock) return pass(lock.error());
  pulled_.path = path_;
  Partial partial(base);
  if (TRY(is_there())) {
    partial.remove();
    return pulled_;
  }
  if (!asked_) TRY(ask());
  TRY(fetch(partial));
  TRY(accept(partial));
  return pulled_;
}

}  // namespace

Result<Pulled> pull(net::Client& client, const PullOptions& options, std::stop_token stop) {
  return Pull(client, options, stop).run();
}

}  // namespace keel::shelf
