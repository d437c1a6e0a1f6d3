#include "model/budget/plan.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/limits.h"
#include "base/text.h"

namespace keel::budget {
namespace {

// One way to load: a shape, and what conversations beside the current one may take.
struct Way {
  const Shape* shape = nullptr;
  std::int64_t parked_bytes = 0;
};

std::int64_t checkpoints_of(const Needs& needs) {
  return needs.checkpoint_bytes * static_cast<std::int64_t>(limits::engine_checkpoints);
}

// More than a full context each is never parked.
std::int64_t parked_of(const Needs& needs, const Way& way) {
  const std::int64_t whole = way.shape->cache_bytes + way.shape->device_cache_bytes;
  return std::min(way.parked_bytes, (whole + checkpoints_of(needs)) *
                                        static_cast<std::int64_t>(limits::engine_parked));
}

std::int64_t fixed_need(const Needs& needs, const Way& way) {
  return needs.base_bytes + needs.repacked_bytes + way.shape->cache_bytes +
         way.shape->compute_bytes + checkpoints_of(needs) + parked_of(needs, way);
}

std::int64_t device_need(const Needs& needs, const Way& way) {
  const std::int64_t plain =
      needs.device_bytes + way.shape->device_cache_bytes + way.shape->device_compute_bytes;
  return plain == 0 ? 0 : plain + limits::device_slack_bytes;
}

// On a Mac the device's memory is the machine's memory.
std::int64_t total_need(const Needs& needs, const Machine& machine, const Way& way) {
  return fixed_need(needs, way) + needs.mapped_bytes +
         (machine.system == System::mac ? device_need(needs, way) : 0);
}

std::int64_t device_total(const Needs& needs) {
  std::int64_t total = 0;
  for (const Device& device : needs.devices) total += device.total_bytes;
  return total;
}

std::int64_t device_room(const Needs& needs, const Machine& machine) {
  std::int64_t room = 0;
  for (const Device& device : needs.devices) {
    room += machine.system == System::mac ? device.total_bytes - limits::working_set_margin_bytes
                                          : device.free_bytes - limits::device_margin_bytes;
  }
  return std::max<std::int64_t>(room, 0);
}

// From what is wished for down to the least: conversations beside the current one go first, since
// they are on the disk too; then the batch, which only costs speed; then half of the context. Where
// there is a small cache for a context it comes before the next smaller context.
std::vector<Way> ways_of(const Needs& needs) {
  const std::int64_t all = limits::engine_parked_bytes;
  std::vector<Way> ways;
  int context = 0;
  for (const Shape& shape : needs.shapes) {
    if (shape.context != context) {
      ways.push_back({&shape, all});
      ways.push_back({&shape, all / 4});
    }
    context = shape.context;
    ways.push_back({&shape, 0});
  }
  return ways;
}

std::string from_to(std::string_view what, std::int64_t from, std::int64_t to,
                    std::string_view unit) {
  return fmt::format("{}: {} instead of {}{}", what, to, from, unit);
}

class Planner {
 public:
  Planner(const Needs& needs, const Machine& machine)
      : needs_(needs), machine_(machine), ways_(ways_of(needs)) {
    plan_.reserve_bytes = machine.reserve_bytes();
    plan_.room_bytes = std::max<std::int64_t>(machine.room_bytes() - plan_.reserve_bytes, 0);
    plan_.device_room_bytes = device_room(needs, machine);
  }

  Plan run() {
    const auto found = std::find_if(ways_.begin(), ways_.end(), [&](const Way& way) {
      return total_need(needs_, machine_, way) <= plan_.room_bytes && device_fits(way);
    });
    const Way& way = found == ways_.end() ? ways_.back() : *found;
    take(way);
    if (found == ways_.end()) weigh_least(way);
    decide_lock();
    advise();
    return std::move(plan_);
  }

 private:
  bool device_fits(const Way& way) const {
    const std::int64_t need = device_need(needs_, way);
    return need == 0 || need <= plan_.device_room_bytes;
  }

  void line(std::string what, std::int64_t bytes, std::string why) {
    if (bytes > 0) plan_.lines.push_back({std::move(what), bytes, std::move(why)});
  }

  void take(const Way& way) {
    const Shape& shape = *way.shape;
    const std::int64_t parked = parked_of(needs_, way);
    plan_.context = shape.context;
    plan_.batch = shape.batch;
    plan_.cache = shape.cache;
    plan_.parked_bytes = way.parked_bytes;
    plan_.fixed_bytes = fixed_need(needs_, way);
    plan_.need_bytes = total_need(needs_, machine_, way);
    plan_.device_bytes = device_need(needs_, way);
    line("weights", needs_.mapped_bytes, "used as they lie in the file");
    line("weights, rearranged", needs_.repacked_bytes, "copied for this processor, for speed");
    line("cache", shape.cache_bytes,
         shape.cache == kSmallCache
             ? fmt::format("keys and values of {} tokens, in 8 bits", shape.context)
             : fmt::format("keys and values of {} tokens, {} each", shape.context,
                           bytes_text(needs_.cache_bytes_per_token)));
    line("computing", shape.compute_bytes,
         fmt::format("intermediate results of {} tokens at once", shape.batch));
    line("checkpoints", checkpoints_of(needs_),
         fmt::format("{} points to go back to, {} each", limits::engine_checkpoints,
                     bytes_text(needs_.checkpoint_bytes)));
    line("other conversations", parked, "kept beside the current one; they are on the disk too");
    line("engine", needs_.base_bytes, "the program and the vocabulary");
    if (machine_.system == System::mac)
      line("graphics processor", plan_.device_bytes, "weights, cache and computing there, wired");
    const Way& wished = ways_.front();
    if (shape.context != wished.shape->context) {
      plan_.shrunk.push_back(from_to("context", wished.shape->context, shape.context, " tokens"));
    }
    if (shape.batch != wished.shape->batch) {
      plan_.shrunk.push_back(from_to("read at once", wished.shape->batch, shape.batch, " tokens"));
    }
    if (shape.cache != wished.shape->cache)
      plan_.shrunk.push_back("keys and values: in 8 bits instead of 16, which is slower");
    if (way.parked_bytes != wished.parked_bytes) {
      plan_.shrunk.push_back(fmt::format("other conversations in memory: {} instead of {}",
                                         bytes_text(way.parked_bytes),
                                         bytes_text(wished.parked_bytes)));
    }
  }

  // Nothing fits into what is free: whether the least can work all the same.
  void weigh_least(const Way& least) {
    if (!device_fits(least)) return refuse_device(least);
    const std::int64_t backed = plan_.room_bytes + machine_.swap_free_bytes;
    if (plan_.fixed_bytes > backed) {
      return refuse(
          fmt::format("the model needs {} that must stay in memory, even with a context of {} "
                      "tokens, and {}",
                      bytes_text(plan_.fixed_bytes), plan_.context, room_text()),
          plan_.fixed_bytes + plan_.reserve_bytes <= machine_.most_bytes()
              ? "close other programs, or choose a smaller model"
              : "choose a smaller model");
    }
    const std::int64_t most = machine_.most_bytes() - plan_.reserve_bytes;
    if (plan_.need_bytes > most && needs_.experts == 0) {
      return refuse(fmt::format("the model needs {} and at most {} of this machine can be used for "
                                "it: every token would read weights from the disk",
                                bytes_text(plan_.need_bytes), bytes_text(most)),
                    "choose a smaller model, or a file with fewer bits a weight");
    }
    plan_.tight = true;
    plan_.advice.push_back(fmt::format(
        "memory is short ({} needed, {}): weights are read from the disk again and again, which is "
        "slow. Close other programs, or choose a smaller model.",
        bytes_text(plan_.need_bytes), room_text()));
  }

  std::string room_text() const {
    std::string text = fmt::format("{} can be had now", bytes_text(plan_.room_bytes));
    if (machine_.swap_free_bytes > 0)
      text += fmt::format(", and {} of swap", bytes_text(machine_.swap_free_bytes));
    if (machine_.group_limit_bytes > 0) {
      text += fmt::format(" (limit {} in {})", bytes_text(machine_.group_limit_bytes),
                          machine_.group_file);
    }
    return text;
  }

  void refuse_device(const Way& least) {
    const std::int64_t total = device_total(needs_);
    const std::string what = fmt::format(
        "the model needs {} of the graphics processor's memory, even with a context of {} tokens, "
        "and {} of its {} can be used",
        bytes_text(device_need(needs_, least)), least.shape->context,
        bytes_text(plan_.device_room_bytes), bytes_text(total));
    if (machine_.system != System::mac) return refuse(what, "choose a smaller model");
    // The largest that a higher limit would let in.
    Result<WiredLimit> limit = fail(Code::limit, "");
    for (const Way& way : ways_) {
      if (total_need(needs_, machine_, way) > plan_.room_bytes) continue;
      limit = propose_wired_limit(device_need(needs_, way), machine_.ram_bytes, total);
      if (limit) break;
    }
    if (!limit) limit = propose_wired_limit(device_need(needs_, least), machine_.ram_bytes, total);
    if (!limit) return refuse(what + "; " + limit.error().message, limit.error().hint);
    plan_.wired = *limit;
    refuse(what, fmt::format(
                     "allow it more until the next start of this Mac: {} (back: {}); {} stay free "
                     "for the system",
                     limit->command, limit->undo, bytes_text(limit->kept_free)));
  }

  void refuse(std::string message, std::string hint) {
    plan_.refusal = Error{Code::limit, std::move(message), std::move(hint), {}};
  }

  // Locked weights are never read from the disk twice; others must still have room enough.
  void decide_lock() {
    const bool allowed =
        machine_.lockable_bytes < 0 || needs_.mapped_bytes <= machine_.lockable_bytes;
    const bool ample = plan_.need_bytes <= plan_.room_bytes / 2;
    if (plan_.refusal || needs_.mapped_bytes == 0 || machine_.system != System::linux_kernel) {
      plan_.lock_why = machine_.system == System::mac ? "the system keeps what is in use" : "";
    } else if (!ample) {
      plan_.lock_why = "no: others may need the memory";
    } else if (!allowed) {
      plan_.lock_why = fmt::format("no: {} may be locked (ulimit -l; LimitMEMLOCK= in a service)",
                                   bytes_text(machine_.lockable_bytes));
    } else {
      plan_.lock = true;
      plan_.lock_why = "yes: there is room, and this process may";
    }
  }

  void advise() {
    if (machine_.huge_pages == "never") {
      plan_.advice.emplace_back(
          "huge pages are set to \"never\"; with \"madvise\" keel uses them, and long "
          "conversations are up to a tenth faster: echo madvise | sudo tee "
          "/sys/kernel/mm/transparent_hugepage/enabled (back: echo never instead of madvise)");
    }
    if (!plan_.refusal && machine_.system == System::mac && machine_.wired_limit_mb > 0) {
      plan_.advice.push_back(fmt::format(
          "iogpu.wired_limit_mb is {} here; back to what the system chooses: sudo sysctl "
          "iogpu.wired_limit_mb=0",
          machine_.wired_limit_mb));
    }
  }

  const Needs& needs_;
  const Machine& machine_;
  const std::vector<Way> ways_;
  Plan plan_;
};

}  // namespace

Plan make_plan(const Needs& needs, const Machine& machine) {
  KEEL_ASSERT(!needs.shapes.empty());
  return Planner(needs, machine).run();
}

}  // namespace keel::budget
