#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "account/budget.h"
#include "account/egress.h"
#include "account/usage.h"
#include "app/assembly.h"
#include "app/commands.h"
#include "app/report.h"
#include "app/setup.h"
#include "base/text.h"

namespace keel::app {
namespace {

constexpr std::size_t name_bytes = 60;

std::string count_text(std::int64_t count) {
  std::string digits = std::to_string(count);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string seconds_text(double ms) {
  return fmt::format("{:.1f} s", ms / 1000);
}

void print_sum(const account::ModelSum& sum) {
  print(fmt::format("{:<11} {:<20} {:>6} {:>12} {:>12} {:>9} {:>10} {:>10}\n", sum.day,
                    printable(sum.model, name_bytes), sum.calls, count_text(sum.prompt_tokens),
                    count_text(sum.cached_tokens), count_text(sum.completion_tokens),
                    seconds_text(sum.total_ms), account::usd_text(sum.cost_usd)));
}

void print_models(const account::Report& report) {
  if (report.models.empty()) {
    print("No model was asked in this time.\n");
    return;
  }
  print(fmt::format("{:<11} {:<20} {:>6} {:>12} {:>12} {:>9} {:>10} {:>10}\n", "day", "model",
                    "calls", "prompt", "of it cached", "written", "time", "cost"));
  account::ModelSum all;
  for (const account::ModelSum& sum : report.models) {
    print_sum(sum);
    all.calls += sum.calls;
    all.prompt_tokens += sum.prompt_tokens;
    all.cached_tokens += sum.cached_tokens;
    all.completion_tokens += sum.completion_tokens;
    all.cost_usd += sum.cost_usd;
    all.total_ms += sum.total_ms;
  }
  if (report.models.size() < 2) return;
  all.day = "together";
  print_sum(all);
}

void print_budget(const account::Report& report, const config::RouteConfig& route) {
  if (!route.budget_usd_per_day) return;
  print(fmt::format("\nBudget of today: {} of {} spent or reserved.\n",
                    account::usd_text(report.spent_today_usd),
                    account::usd_text(*route.budget_usd_per_day)));
}

// Where programs have keys of their own.
void print_keys(const account::Report& report) {
  const bool named = std::any_of(report.keys.begin(), report.keys.end(),
                                 [](const account::KeySum& sum) { return !sum.key.empty(); });
  if (!named) return;
  print("\nAnswers to programs, by key:\n");
  for (const account::KeySum& sum : report.keys) {
    print(fmt::format("{:>6} x {}: {} tokens read, {} written, {}\n", sum.calls,
                      sum.key.empty() ? "the token of KEEL_HOME" : printable(sum.key, name_bytes),
                      count_text(sum.read_tokens), count_text(sum.completion_tokens),
                      account::usd_text(sum.cost_usd)));
  }
}

void print_routes(const account::Report& report) {
  if (report.routes.empty()) return;
  print("\nWhy which model answered:\n");
  for (const account::RouteSum& sum : report.routes) {
    print(fmt::format("{:>6} x {} by {}. The last time: {}\n", sum.count,
                      printable(sum.model, name_bytes), printable(sum.rule, name_bytes),
                      printable(sum.last_reason, 300)));
  }
}

void print_hosts(const account::Report& report) {
  if (report.hosts.empty()) {
    print("\nNothing left this machine.\n");
    return;
  }
  print("\nWhat left this machine (each request: keel usage --egress):\n");
  for (const account::HostSum& sum : report.hosts) {
    print(fmt::format("{:>6} x {} for {}: {} sent, {} received{}\n", sum.requests,
                      printable(sum.host, name_bytes), printable(sum.purpose),
                      bytes_text(static_cast<std::uint64_t>(sum.bytes_out)),
                      bytes_text(static_cast<std::uint64_t>(sum.bytes_in)),
                      sum.failed > 0 ? fmt::format(", {} failed", sum.failed) : ""));
  }
}

Json report_json(const account::Report& report, const config::RouteConfig& route, int days) {
  Json models = Json::array();
  for (const account::ModelSum& sum : report.models) {
    models.push_back({{"day", sum.day},
                      {"model", sum.model},
                      {"calls", sum.calls},
                      {"prompt_tokens", sum.prompt_tokens},
                      {"cached_tokens", sum.cached_tokens},
                      {"completion_tokens", sum.completion_tokens},
                      {"cost_usd", sum.cost_usd},
                      {"total_ms", sum.total_ms}});
  }
  Json routes = Json::array();
  for (const account::RouteSum& sum : report.routes) {
    routes.push_back({{"model", sum.model},
                      {"rule", sum.rule},
                      {"count", sum.count},
                      {"last_reason", sum.last_reason}});
  }
  Json hosts = Json::array();
  for (const account::HostSum& sum : report.hosts) {
    hosts.push_back({{"host", sum.host},
                     {"purpose", sum.purpose},
                     {"requests", sum.requests},
                     {"failed", sum.failed},
                     {"bytes_out", sum.bytes_out},
                     {"bytes_in", sum.bytes_in}});
  }
  Json keys = Json::array();
  for (const account::KeySum& sum : report.keys) {
    keys.push_back({{"key", sum.key},
                    {"calls", sum.calls},
                    {"read_tokens", sum.read_tokens},
                    {"completion_tokens", sum.completion_tokens},
                    {"cost_usd", sum.cost_usd}});
  }
  const auto budget = [](const std::optional<double>& usd) { return usd ? Json(*usd) : Json(); };
  return {{"since", iso_time(report.since)},
          {"days", days},
          {"models", std::move(models)},
          {"routes", std::move(routes)},
          {"egress", std::move(hosts)},
          {"keys", std::move(keys)},
          {"budget",
           {{"per_day_usd", budget(route.budget_usd_per_day)},
            {"per_turn_usd", budget(route.budget_usd_per_turn)},
            {"today_usd", report.spent_today_usd}}}};
}

Json row_json(const account::EgressRow& row) {
  return {{"at", iso_time(row.at_ms)},  {"host", row.host},     {"purpose", row.why.purpose},
          {"subject", row.why.subject}, {"turn", row.why.turn}, {"pages", row.why.pages},
          {"state", row.state},         {"status", row.status}, {"bytes_out", row.bytes_out},
          {"bytes_in", row.bytes_in},   {"ms", row.ms},         {"error", row.error}};
}

void print_row(const account::EgressRow& row) {
  const std::string end = row.state == "done" ? std::to_string(row.status) : row.state;
  print(fmt::format("{}  {:<28} {:<8} {:<14} {:>6} {:>10} out {:>10} in {:>7.0f} ms\n",
                    iso_time(row.at_ms), printable(row.host, name_bytes),
                    printable(row.why.purpose), printable(row.why.subject, name_bytes), end,
                    bytes_text(static_cast<std::uint64_t>(row.bytes_out)),
                    bytes_text(static_cast<std::uint64_t>(row.bytes_in)), row.ms));
  if (!row.why.turn.empty()) print("    turn " + row.why.turn + "\n");
  if (!row.why.pages.empty()) print("    pages " + join(row.why.pages, " ") + "\n");
  if (!row.error.empty()) print("    " + printable(row.error, 300) + "\n");
}

Status egress(Assembly& assembly, const UsageArguments& arguments) {
  const std::vector<account::EgressRow> rows =
      TRY(assembly.ledger().rows(assembly.usage().since(arguments.days), arguments.limit));
  if (!arguments.json) {
    if (rows.empty()) print("Nothing left this machine in this time.\n");
    for (const account::EgressRow& row : rows) print_row(row);
    return {};
  }
  Json out = Json::array();
  for (const account::EgressRow& row : rows) out.push_back(row_json(row));
  print_json(
      {{"since", iso_time(assembly.usage().since(arguments.days))}, {"egress", std::move(out)}});
  return {};
}

Status usage(const UsageArguments& arguments) {
  const config::Config config = TRY(load_config());
  const std::unique_ptr<Assembly> assembly = TRY(Assembly::open(config, Assembly::Extent::memory));
  if (arguments.egress) return egress(*assembly, arguments);
  const account::Report report = TRY(assembly->usage().report(arguments.days));
  if (arguments.json) {
    print_json(report_json(report, config.route, arguments.days));
    return {};
  }
  print_models(report);
  print_budget(report, config.route);
  print_keys(report);
  print_routes(report);
  print_hosts(report);
  return {};
}

}  // namespace

int usage_command(const UsageArguments& arguments) {
  return report(usage(arguments));
}

}  // namespace keel::app
