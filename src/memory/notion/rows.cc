#include "memory/notion/rows.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "base/limits.h"
#include "base/text.h"

namespace keel::memory::notion {
namespace {

struct Property {
  std::string_view name;
  std::string_view type;
};
constexpr Property kProperties[] = {{"Name", "title"},        {"keel_id", "rich_text"},
                                    {"Kind", "select"},       {"Tags", "multi_select"},
                                    {"Origin", "select"},     {"State", "select"},
                                    {"Importance", "number"}, {"Valid from", "date"},
                                    {"Valid to", "date"},     {"Source", "url"}};

// The value of a property by its id, which no other property has.
const Json* value_of(const Json& properties, const Schema& schema, const std::string& name) {
  const auto id = schema.ids.find(name);
  if (id == schema.ids.end()) return nullptr;
  for (const auto& [key, value] : properties.items())
    if (value.is_object() && json_string_or(value, "id", "") == id->second) return &value;
  return nullptr;
}

const Json* member(const Json* object, std::string_view key) {
  if (object == nullptr || !object->is_object()) return nullptr;
  const auto found = object->find(std::string(key));
  return found == object->end() ? nullptr : &*found;
}

std::string user_of(const Json& page, std::string_view key) {
  const Json* user = member(&page, key);
  return user != nullptr && user->is_object() ? json_string_or(*user, "id", "") : std::string();
}

Json text_json(std::string_view text) {
  Json list = Json::array();
  if (!text.empty()) list.push_back({{"type", "text"}, {"text", {{"content", text}}}});
  return list;
}

}  // namespace

std::string whole_day(std::string_view day) {
  return day.size() == 10 ? std::string(day) : std::string();
}

std::string web_address(std::string_view uri) {
  const bool web = uri.starts_with("https://") || uri.starts_with("http://");
  return web && uri.size() <= limits::memory_uri_bytes ? std::string(uri) : std::string();
}

Face face_of(const Page& page) {
  return {page.title,
          page.tags,
          page.kind,
          page.origin,
          page.state,
          whole_day(page.valid_from),
          whole_day(page.valid_to),
          web_address(page.source_uri),
          page.importance};
}

std::string shown_body(std::string_view title, std::string_view body) {
  return trim(body) == title ? std::string() : std::string(body);
}

std::string Schema::text() const {
  Json json = Json::object();
  for (const auto& [name, id] : ids) json[name] = id;
  return dump_json(json);
}

Schema Schema::from_text(std::string_view text) {
  Schema schema;
  const Result<Json> json = parse_json(text, "the properties in the ledger");
  if (!json || !json->is_object()) return schema;
  for (const auto& [name, id] : json->items())
    if (id.is_string()) schema.ids[name] = id.get<std::string>();
  return schema;
}

Schema read_schema(const Json& source, const Schema& known, Json& missing) {
  Schema schema;
  const Json* properties = member(&source, "properties");
  missing = nullptr;
  for (const Property& wanted : kProperties) {
    const std::string name(wanted.name);
    const auto old = known.ids.find(name);
    const Json* found = nullptr;
    if (properties != nullptr) {
      for (const auto& [key, value] : properties->items()) {
        const bool same_type = json_string_or(value, "type", "") == wanted.type;
        const bool same_id =
            old != known.ids.end() && json_string_or(value, "id", "") == old->second;
        // There is one title in any data source, whatever its name.
        if ((wanted.type == "title" && same_type) || same_id) found = &value;
        if (found == nullptr && key == name) found = &value;
      }
    }
    if (found == nullptr) {
      missing[name] = {{std::string(wanted.type), Json::object()}};
    } else if (json_string_or(*found, "type", "") != wanted.type) {
      schema.unusable.push_back(name);
    } else {
      schema.ids[name] = json_string_or(*found, "id", "");
    }
  }
  return schema;
}

WallMs time_of(std::string_view text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  const std::string copy(text.substr(0, 32));
  if (std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d", &year, &month, &day, &hour, &minute,
                  &second) != 6)
    return 0;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return 0;
  const auto days = std::chrono::sys_days(date).time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(days).count() +
         ((hour * 60 + minute) * 60 + second) * WallMs{1000};
}

std::string plain_text(const Json& rich_text) {
  std::string out;
  if (!rich_text.is_array()) return out;
  for (const Json& part : rich_text)
    if (part.is_object()) out += json_string_or(part, "plain_text", "");
  return out;
}

Result<Row> row_of(const Json& page, const Schema& schema) {
  Row row;
  row.id = TRY(json_string(page, "id"));
  row.created_ms = time_of(json_string_or(page, "created_time", ""));
  row.edited_ms = time_of(json_string_or(page, "last_edited_time", ""));
  row.created_by = user_of(page, "created_by");
  row.edited_by = user_of(page, "last_edited_by");
  row.in_trash = json_bool_or(page, "in_trash", json_bool_or(page, "archived", false));
  const Json* properties = member(&page, "properties");
  if (properties == nullptr || !properties->is_object()) return row;
  if (const Json* text = member(value_of(*properties, schema, "Name"), "title"))
    row.title = shorten(trim(plain_text(*text)), limits::memory_title_bytes);
  if (const Json* text = member(value_of(*properties, schema, "keel_id"), "rich_text"))
    row.keel_id = trim(plain_text(*text));
  if (const Json* kind = member(value_of(*properties, schema, "Kind"), "select");
      kind != nullptr && kind->is_object())
    row.kind = json_string_or(*kind, "name", "");
  if (const Json* tags = member(value_of(*properties, schema, "Tags"), "multi_select");
      tags != nullptr && tags->is_array()) {
    for (const Json& tag : *tags)
      if (tag.is_object()) row.tags.push_back(json_string_or(tag, "name", ""));
  }
  return row;
}

std::vector<std::string> sendable_tags(const std::vector<std::string>& tags) {
  std::vector<std::string> out;
  for (const std::string& tag : tags)
    if (tag.find(',') == tag.npos && tag.size() <= limits::notion_tag_chars) out.push_back(tag);
  return out;
}

Json properties_json(std::string_view keel_id, const Face& face, const Schema& schema) {
  Json out = Json::object();
  const auto put = [&](const char* name, Json value) {
    const auto id = schema.ids.find(name);
    if (id != schema.ids.end()) out[id->second] = std::move(value);
  };
  const auto choice = [](const std::string& name) { return Json{{"select", {{"name", name}}}}; };
  put("Name", {{"title", text_json(face.title)}});
  put("keel_id", {{"rich_text", text_json(keel_id)}});
  put("Kind", choice(face.kind));
  put("Origin", choice(face.origin));
  put("State", choice(face.state));
  put("Importance", {{"number", face.importance}});
  const auto day = [](const std::string& text) {
    return Json{{"date", text.empty() ? Json() : Json{{"start", text}}}};
  };
  put("Valid from", day(face.valid_from));
  put("Valid to", day(face.valid_to));
  put("Source", {{"url", face.source.empty() ? Json() : Json(face.source)}});
  Json tags = Json::array();
  for (const std::string& tag : sendable_tags(face.tags)) tags.push_back({{"name", tag}});
  put("Tags", {{"multi_select", std::move(tags)}});
  return out;
}

}  // namespace keel::memory::notion
