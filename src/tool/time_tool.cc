#include "tool/time_tool.h"

#include <date/tz.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <vector>

#include "base/text.h"

namespace keel::tool {
namespace {

// Reading the zone files is the library's business; it throws when they are missing.
std::vector<std::string> all_zone_names() {
  std::vector<std::string> names;
  for (const date::time_zone& zone : date::get_tzdb().zones) names.push_back(zone.name());
  for (const char* extra : {"UTC", "GMT"}) {
    if (std::find(names.begin(), names.end(), extra) == names.end()) names.emplace_back(extra);
  }
  return names;
}

std::string last_part(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  return std::string(slash == name.npos ? name : name.substr(slash + 1));
}

// "Asia/Tokyo", "asia/tokyo", "Tokyo" and "New York" all name a zone.
Result<std::string> find_zone(std::string_view asked) {
  const std::string wanted = replace_all(std::string(trim(asked)), " ", "_");
  const std::vector<std::string> names = all_zone_names();
  for (const std::string& name : names) {
    if (equals_ignoring_case(name, wanted)) return name;
  }
  for (const std::string& name : names) {
    if (equals_ignoring_case(last_part(name), wanted)) return name;
  }
  const std::string near = nearest_name(wanted, names);
  return fail(Code::not_found, "there is no time zone '" + printable(asked, 60) + "'",
              near.empty() ? "use a name like Europe/Berlin" : "the nearest name is " + near);
}

// What small models write for "leave it out".
bool means_here(std::string_view zone) {
  static constexpr std::array<std::string_view, 6> words = {"",    "here",       "local",
                                                            "now", "local time", "current"};
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return equals_ignoring_case(zone, word); });
}

Result<std::string> time_in_zone(WallMs now_ms, const std::string& name) {
  const auto now = std::chrono::floor<std::chrono::seconds>(
      std::chrono::system_clock::time_point(std::chrono::milliseconds(now_ms)));
  const date::zoned_time<std::chrono::seconds> local(date::locate_zone(name), now);
  const date::sys_info info = local.get_info();
  const auto day = date::floor<date::days>(local.get_local_time());
  const date::year_month_day ymd(day);
  const date::hh_mm_ss<std::chrono::seconds> clock(local.get_local_time() - day);
  static constexpr const char* kDays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                          "Thursday", "Friday", "Saturday"};
  static constexpr const char* kMonths[] = {"January",   "February", "March",    "April",
                                            "May",       "June",     "July",     "August",
                                            "September", "October",  "November", "December"};
  const auto offset = std::chrono::duration_cast<std::chrono::minutes>(info.offset).count();
  return fmt::format("{}, {} {} {}, {:02}:{:02} in {} (UTC{}{:02}:{:02})",
                     kDays[date::weekday(day).c_encoding()], static_cast<unsigned>(ymd.day()),
                     kMonths[static_cast<unsigned>(ymd.month()) - 1], static_cast<int>(ymd.year()),
                     clock.hours().count(), clock.minutes().count(), name, offset < 0 ? '-' : '+',
                     std::abs(offset) / 60, std::abs(offset) % 60);
}

class TimeTool final : public Tool {
 public:
  const msg::Tool& spec() const override { return spec_; }
  Effect effect() const override { return Effect::pure; }
  policy::Sink sink() const override { return policy::Sink::none; }

 private:
  Result<Outcome> run(const Json& arguments, Context& context) override {
    const std::string asked = json_string_or(arguments, "zone", "");
    const WallMs now = context.clock.wall_ms();
    if (means_here(trim(asked))) {
      return Outcome{local_time_text(now)};
    }
    try {
      const std::string name = TRY(find_zone(asked));
      return Outcome{TRY(time_in_zone(now, name))};
    } catch (const std::runtime_error& e) {
      return fail(Code::unavailable, "the time zone data cannot be read: " + printable(e.what()),
                  "install the system's tzdata package; UTC is " + iso_time(now));
    }
  }

  msg::Tool spec_{"time", "Current date, weekday and time, here or in another city or time zone.",
                  schema_literal(R"json({"type":"object","properties":{
                    "zone":{"type":"string","description":"e.g. Asia/Tokyo; leave out for here"}},
                    "additionalProperties":false})json")};
};

}  // namespace

std::unique_ptr<Tool> make_time_tool() {
  return std::make_unique<TimeTool>();
}

}  // namespace keel::tool
