#include "memory/notion/mirror.h"

#include <fmt/format.h>

#include "base/text.h"
#include "log/log.h"
#include "memory/notion/pass.h"

namespace keel::memory::notion {
namespace {

Json strings(const std::vector<std::string>& list) {
  Json out = Json::array();
  for (const std::string& one : list) out.push_back(one);
  return out;
}

}  // namespace

Json Report::json() const {
  return {{"created", created},         {"updated", updated},
          {"trashed", trashed},         {"taken", taken},
          {"adopted", adopted},         {"merged", merged},
          {"deleted", deleted},         {"conflicts", conflicts},
          {"refused", refused},         {"held", held},
          {"requests", requests},       {"full", full},
          {"notices", strings(notices)}};
}

struct Mirror::State {
  Memory& memory;
  Ledger ledger;
  Client& client;
  const Clock& clock;
  MirrorOptions options;
  // Found out once.
  std::string source, bot, owner;
  Schema schema;
  bool ready = false;

  Status find_people(std::stop_token stop);
  Result<Json> find_source(std::stop_token stop);
  Status get_ready(Report& report, std::stop_token stop);
  Status work(const SyncOptions& what, Report& report, std::stop_token stop);
};

Status Mirror::State::find_people(std::stop_token stop) {
  const Json me = TRY(need(client.get("/users/me", stop)));
  bot = TRY(json_string(me, "id"));
  owner = options.owner.empty() ? std::string() : TRY(notion_id(options.owner));
  // A token of a person says whose it is; one of an internal connection does not.
  const Json::json_pointer path("/bot/owner/user/id");
  if (owner.empty() && me.contains(path) && me[path].is_string())
    owner = me[path].get<std::string>();
  return {};
}

// The data source that keel.toml names, by its own id or by that of its database.
Result<Json> Mirror::State::find_source(std::stop_token stop) {
  const std::string id = TRY(notion_id(options.data_source));
  Answer answer = client.get("/data_sources/" + id, stop);
  if (answer.status == 404) {
    const Answer database = client.get("/databases/" + id, stop);
    const auto sources = database.json.find("data_sources");
    if (database.ok() && sources != database.json.end() && sources->is_array()) {
      if (sources->size() != 1) {
        std::vector<std::string> names;
        for (const Json& one : *sources)
          names.push_back(json_string_or(one, "id", "") + " (" +
                          printable(json_string_or(one, "name", ""), 40) + ")");
        return fail(Code::config, "The database in [notion] data_source has several data sources.",
                    "Name one of them: " + join(names, ", "));
      }
      answer = client.get("/data_sources/" + json_string_or((*sources)[0], "id", ""), stop);
    }
  }
  if (answer.status == 404)
    return fail(Code::not_found,
                fmt::format("There is no data source {} that the connection can see.", id),
                "In Notion, open the database's menu, add the connection under Connections, and "
                "copy the link of the database to [notion] data_source.");
  Json found = TRY(need(std::move(answer)));
  if (json_bool_or(found, "in_trash", false))
    return fail(Code::not_found, "The data source of the mirror is in Notion's trash.",
                "Restore it there, or name another one in [notion] data_source.");
  return found;
}

Status Mirror::State::get_ready(Report& report, std::stop_token stop) {
  if (ready) return {};
  TRY(find_people(stop));
  Json found = TRY(find_source(stop));
  source = TRY(json_string(found, "id"));
  const std::string before = TRY(ledger.setting("data_source"));
  if (!before.empty() && before != source) {
    log::warn("notion", "another data source than before: all pages are sent to it");
    TRY(ledger.reset());
  }
  if (before != source) TRY(ledger.set("data_source", source));
  const Schema known = Schema::from_text(TRY(ledger.setting("schema")));
  Json missing;
  schema = read_schema(found, known, missing);
  if (!missing.is_null()) {
    // The same again does no harm, so what became of it need not be known.
    const Answer patched =
        client.write("PATCH", "/data_sources/" + source, {{"properties", missing}}, stop);
    if (!patched.ok() && patched.fate != Fate::unknown) return pass(patched.error);
    found = TRY(need(client.get("/data_sources/" + source, stop)));
    schema = read_schema(found, known, missing);
  }
  for (const std::string& name : schema.unusable)
    report.notices.push_back(fmt::format(
        "the property {} of the data source has another type than keel's; it is left alone", name));
  if (!schema.ids.contains("Name") || !schema.ids.contains("keel_id"))
    return fail(Code::config,
                "The data source has no property keel_id of the type text, and none can be made.",
                "Rename or delete the property keel_id in Notion.");
  if (schema.ids != known.ids) TRY(ledger.set("schema", schema.text()));
  ready = true;
  return {};
}

Status Mirror::State::work(const SyncOptions& what, Report& report, std::stop_token stop) {
  TRY(get_ready(report, stop));
  report.full = TRY(ledger.setting_ms("full_until_ms")) > clock.wall_ms();
  const bool was_full = report.full;
  Pass pass{memory, ledger, client, clock,  stop,  what, report,
            source, bot,    owner,  schema, false, {}};
  const auto body = [&]() -> Status {
    TRY(settle(pass));
    if (!what.send_only) TRY(pull(pass));
    TRY(push(pass));
    TRY(trash_orphans(pass));
    if (what.send_only) return {};
    // Texts that changed without a sign of it.
    const auto day = std::chrono::milliseconds(limits::notion_sweep_time).count();
    for (const Entry& entry :
         TRY(ledger.unchecked(clock.wall_ms() - day, limits::notion_sweep_pages)))
      TRY(refresh(pass, entry));
    return {};
  };
  Status done = body();
  if (report.full && !was_full) {
    const auto wait = std::chrono::milliseconds(limits::notion_full_time).count();
    TRY(ledger.set("full_until_ms", std::to_string(clock.wall_ms() + wait)));
  }
  if (pass.schema_stale) ready = false;
  return done;
}

Mirror::Mirror(Memory& memory, store::Database& database, Client& client, const Clock& clock,
               MirrorOptions options)
    : state_(std::make_unique<State>(State{
          memory, Ledger(database), client, clock, std::move(options), {}, {}, {}, {}, false})) {}
Mirror::~Mirror() = default;

Status Mirror::sync(const SyncOptions& options, Report& report, std::stop_token stop) {
  const std::int64_t before = state_->client.requests();
  Status done = state_->work(options, report, stop);
  // A property was deleted in Notion: it is made again, and the pass with it.
  if (!done && !state_->ready && done.error().code == Code::invalid_argument)
    done = state_->work(options, report, stop);
  report.requests += state_->client.requests() - before;
  Ledger& ledger = state_->ledger;
  const std::string now = std::to_string(state_->clock.wall_ms());
  if (!done) {
    if (done.error().code == Code::cancelled) return done;
    TRY(ledger.set("problem", done.error().message));
    TRY(ledger.set("problem_hint", done.error().hint));
    TRY(ledger.set("problem_ms", now));
    return done;
  }
  if (options.send_only && report.changes() == 0) return {};
  if (!TRY(ledger.setting("problem")).empty()) TRY(ledger.set("problem", ""));
  return ledger.set("synced_ms", now);
}

Result<bool> Mirror::waiting() {
  const WallMs now = state_->clock.wall_ms();
  const bool full = TRY(state_->ledger.setting_ms("full_until_ms")) > now;
  std::int64_t after = 0;
  if (!TRY(state_->ledger.outdated(now, !full, 1, after)).empty()) return true;
  return !TRY(state_->ledger.orphans(1)).empty();
}

Result<MirrorStatus> mirror_status(store::Database& database, const Clock& clock) {
  Ledger ledger(database);
  MirrorStatus status;
  status.counts = TRY(ledger.counts(clock.wall_ms()));
  status.problem = TRY(ledger.setting("problem"));
  if (!status.problem.empty()) status.problem_hint = TRY(ledger.setting("problem_hint"));
  status.problem_ms = TRY(ledger.setting_ms("problem_ms"));
  status.synced_ms = TRY(ledger.setting_ms("synced_ms"));
  status.full = TRY(ledger.setting_ms("full_until_ms")) > clock.wall_ms();
  for (const char* state : {"refused", "held"})
    for (Entry& entry : TRY(ledger.in_state(state, static_cast<int>(limits::notion_shown))))
      status.troubled.push_back(std::move(entry));
  status.conflicts = TRY(ledger.conflicts(static_cast<int>(limits::notion_shown)));
  return status;
}

Json MirrorStatus::json() const {
  Json out{{"pages", counts.pages},
           {"synced", counts.synced},
           {"waiting", counts.waiting},
           {"sending", counts.sending},
           {"refused", counts.refused},
           {"held", counts.held},
           {"full", full}};
  out["synced_at"] = synced_ms > 0 ? Json(iso_time(synced_ms)) : Json();
  out["problem"] =
      problem.empty()
          ? Json()
          : Json{{"text", problem}, {"hint", problem_hint}, {"at", iso_time(problem_ms)}};
  out["troubled"] = Json::array();
  for (const Entry& entry : troubled)
    out["troubled"].push_back(
        {{"page", entry.page_id}, {"state", entry.state}, {"why", entry.note}});
  out["conflicts"] = Json::array();
  for (const ConflictRecord& one : conflicts)
    out["conflicts"].push_back({{"page", one.page_id},
                                {"title", one.title},
                                {"kept_revision", one.kept_rev},
                                {"other_revision", one.lost_rev},
                                {"at", iso_time(one.at_ms)}});
  return out;
}

}  // namespace keel::memory::notion
