#include "memory/notion/rows.h"

#include <gtest/gtest.h>

namespace keel::memory::notion {
namespace {

Json source(std::initializer_list<std::tuple<const char*, const char*, const char*>> properties) {
  Json out{{"properties", Json::object()}};
  for (const auto& [name, id, type] : properties)
    out["properties"][name] = {{"id", id}, {"name", name}, {"type", type}};
  return out;
}

TEST(NotionRows, what_is_missing_is_asked_for) {
  Json missing;
  const Schema schema = read_schema(source({{"Name", "title", "title"}}), {}, missing);
  EXPECT_EQ(schema.ids.at("Name"), "title");
  EXPECT_TRUE(missing.contains("keel_id"));
  EXPECT_TRUE(missing["Tags"].contains("multi_select"));
  EXPECT_FALSE(missing.contains("Name"));
}

TEST(NotionRows, properties_are_known_by_their_ids) {
  Schema known;
  known.ids = {{"Name", "title"}, {"Tags", "ab"}, {"Kind", "cd"}};
  Json missing;
  const Schema schema = read_schema(source({{"Title", "title", "title"},
                                            {"Labels", "ab", "multi_select"},
                                            {"Kind", "zz", "rich_text"},
                                            {"Other", "cd", "checkbox"}}),
                                    Schema::from_text(known.text()), missing);
  EXPECT_EQ(schema.ids.at("Name"), "title");
  EXPECT_EQ(schema.ids.at("Tags"), "ab");
  EXPECT_FALSE(schema.ids.contains("Kind"));
  EXPECT_EQ(schema.unusable, std::vector<std::string>{"Kind"});
  EXPECT_FALSE(missing.contains("Kind"));
}

TEST(NotionRows, a_row_is_read_by_the_ids_whatever_the_names) {
  Schema schema;
  schema.ids = {{"Name", "title"}, {"keel_id", "k"}, {"Tags", "t"}, {"Kind", "s"}};
  const Json page = MUST(parse_json(R"({"id":"r","created_time":"2026-11-27T15:38:00.000Z",
    "last_edited_time":"2026-11-27T15:40:00.000Z","in_trash":true,
    "created_by":{"object":"user","id":"a"},"last_edited_by":{"object":"user","id":"b"},
    "properties":{"X":{"id":"title","title":[{"plain_text":" My "},{"plain_text":"boat"}]},
    "Y":{"id":"k","rich_text":[{"plain_text":"01K"}]},"Z":{"id":"s","select":null},
    "T":{"id":"t","multi_select":[{"name":"sea"},{"name":"home"}]},"N":7}})"));
  const Row row = MUST(row_of(page, schema));
  EXPECT_EQ(row.title, "My boat");
  EXPECT_EQ(row.keel_id, "01K");
  EXPECT_EQ(row.kind, "");
  EXPECT_EQ(row.tags, (std::vector<std::string>{"sea", "home"}));
  EXPECT_EQ(row.created_by, "a");
  EXPECT_EQ(row.edited_by, "b");
  EXPECT_EQ(row.edited_ms - row.created_ms, 120'000);
  EXPECT_TRUE(row.in_trash);
  EXPECT_FALSE(row_of(Json::array(), schema));
  EXPECT_EQ(MUST(row_of(Json{{"id", "r"}}, schema)).title, "");
}

TEST(NotionRows, values_keep_the_services_bounds) {
  Face face;
  face.title = "One";
  face.tags = {"a,b", "ok", std::string(200, 'x')};
  face.kind = "fact";
  face.origin = "owner";
  face.state = "live";
  face.valid_from = whole_day("2026-05-01");
  face.valid_to = whole_day("2026-05");
  face.source = web_address("file:///etc/passwd");
  Schema schema;
  for (const char* name : {"Name", "keel_id", "Tags", "Kind", "Origin", "State", "Importance",
                           "Valid from", "Valid to", "Source"})
    schema.ids[name] = std::string("id ") + name;
  const Json json = properties_json("01K", face, schema);
  EXPECT_EQ(json["id Tags"]["multi_select"].size(), 1U);
  EXPECT_EQ(json["id Valid from"]["date"]["start"], "2026-05-01");
  EXPECT_TRUE(json["id Valid to"]["date"].is_null());
  EXPECT_TRUE(json["id Source"]["url"].is_null());
  EXPECT_EQ(json["id keel_id"]["rich_text"][0]["text"]["content"], "01K");
  EXPECT_EQ(properties_json("01K", face, {}).size(), 0U);
}

TEST(NotionRows, times) {
  EXPECT_EQ(time_of("1970-01-02T00:01:00.000Z"), 86'460'000);
  EXPECT_EQ(time_of("2026-13-40T00:00:00.000Z"), 0);
  EXPECT_EQ(time_of("soon"), 0);
}

}  // namespace
}  // namespace keel::memory::notion
