// Adding a tool is its file pair in tool/ and one line here (docs/guide/adding-a-tool.md).
#include "app/assembly.h"
#include "tool/calculator_tool.h"
#include "tool/list_files_tool.h"
#include "tool/notion_create_tool.h"
#include "tool/notion_read_tool.h"
#include "tool/notion_search_tool.h"
#include "tool/read_file_tool.h"
#include "tool/recall_tool.h"
#include "tool/registry.h"
#include "tool/remember_tool.h"
#include "tool/time_tool.h"
#include "tool/web_fetch_tool.h"

namespace keel::app {

Status add_tools(tool::Registry& registry) {
  TRY(registry.add(tool::make_calculator_tool()));
  TRY(registry.add(tool::make_list_files_tool()));
  TRY(registry.add(tool::make_read_file_tool()));
  TRY(registry.add(tool::make_recall_tool()));
  TRY(registry.add(tool::make_remember_tool()));
  TRY(registry.add(tool::make_time_tool()));
  TRY(registry.add(tool::make_web_fetch_tool()));
  return {};
}

Status add_notion_tools(tool::Registry& registry, memory::notion::Client* client) {
  TRY(registry.add(tool::make_notion_create_tool(client)));
  TRY(registry.add(tool::make_notion_read_tool(client)));
  TRY(registry.add(tool::make_notion_search_tool(client)));
  return {};
}

}  // namespace keel::app
