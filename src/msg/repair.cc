#include "msg/repair.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "msg/carry.h"
#include "msg/raw.h"

namespace keel::msg {
namespace {

class Repair {
 public:
  Repair(std::vector<Item>& items, Losses& losses) : items_(items), losses_(losses) {}

  void run() {
    for (std::size_t i = 0; i < items_.size(); ++i) clean(i);
    if (calls_in_order() && !changed_) return;
    drop_empty();
    if (calls_in_order()) return;
    std::vector<Item> out;
    for (std::size_t i = 0; i < items_.size(); ++i) {
      if (items_[i].role != Role::assistant || tool_calls(items_[i]).empty()) {
        loose_results(items_[i], i);
        if (!items_[i].blocks.empty()) out.push_back(std::move(items_[i]));
        continue;
      }
      std::vector<std::string> ids = unique_ids(i);
      out.push_back(std::move(items_[i]));
      out.push_back(take_results(i, ids));
    }
    items_ = std::move(out);
  }

 private:
  void lose(Lost what, std::string where, std::string why) {
    changed_ = true;
    losses_.push_back({what, std::move(where), std::move(why)});
  }

  void clean(std::size_t i) {
    std::vector<Block>& blocks = items_[i].blocks;
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      const auto* call = std::get_if<ToolCall>(&blocks[b]);
      if (call == nullptr || call->complete) continue;
      lose(Lost::half_call, block_path(i, b), "a call that was cut off is told of in words");
      blocks[b] = Text{"[The call of the tool " + json_quoted(call->name) +
                       " was cut off and did not run.]"};
    }
    const auto empty = [](const Block& block) {
      const auto* text = std::get_if<Text>(&block);
      const auto* refusal = std::get_if<Refusal>(&block);
      return (text != nullptr && text->text.empty()) ||
             (refusal != nullptr && refusal->text.empty());
    };
    const auto end = std::remove_if(blocks.begin(), blocks.end(), empty);
    if (end == blocks.end()) return;
    blocks.erase(end, blocks.end());
    lose(Lost::empty_text, "items." + std::to_string(i), "an empty text was left out");
  }

  void drop_empty() {
    const auto empty = [](const Item& item) { return item.blocks.empty(); };
    items_.erase(std::remove_if(items_.begin(), items_.end(), empty), items_.end());
  }

  // Whether every call is answered once by what comes next, and nothing else is answered.
  bool calls_in_order() const {
    std::set<std::string> seen;
    std::multiset<std::string> open;
    for (const Item& item : items_) {
      if (item.blocks.empty()) return false;
      if (item.role != Role::tool && !open.empty()) return false;
      for (const Block& block : item.blocks) {
        if (const auto* call = std::get_if<ToolCall>(&block)) {
          if (item.role != Role::assistant || !seen.insert(call->id).second) return false;
          open.insert(call->id);
        } else if (const auto* result = std::get_if<ToolResult>(&block)) {
          const auto it = open.find(result->call_id);
          if (item.role != Role::tool || it == open.end()) return false;
          open.erase(it);
        }
      }
    }
    return open.empty();
  }

  // The ids that results will name, after giving an id that was used before a new one.
  std::vector<std::string> unique_ids(std::size_t i) {
    std::vector<std::string> ids;
    given_.clear();
    names_.clear();
    for (Block& block : items_[i].blocks) {
      auto* call = std::get_if<ToolCall>(&block);
      if (call == nullptr) continue;
      ids.push_back(call->id);
      if (!used_.insert(call->id).second) {
        const std::string base = call->id;
        for (int n = 2; !used_.insert(call->id).second; ++n) {
          call->id = base + "-" + std::to_string(n);
        }
        lose(Lost::call_id, "items." + std::to_string(i),
             "the id " + json_quoted(printable(base)) + " was used before");
      }
      given_.push_back(call->id);
      names_.push_back(call->name);
    }
    return ids;
  }

  // The results of the calls of item i, which was moved away: from what follows up to the next
  // answer. `ids` are the ids before they were made unique.
  Item take_results(std::size_t i, const std::vector<std::string>& ids) {
    Item results{Role::tool, {}};
    std::vector<bool> answered(ids.size(), false);
    bool apart = false;  // something stood between the call and its results
    for (std::size_t k = i + 1; k < items_.size() && items_[k].role != Role::assistant; ++k) {
      std::vector<Block> rest;
      for (Block& block : items_[k].blocks) {
        auto* result = std::get_if<ToolResult>(&block);
        const std::size_t at = result == nullptr ? ids.size() : find(ids, answered, *result);
        if (at == ids.size()) {
          apart = true;
          rest.push_back(std::move(block));
          continue;
        }
        answered[at] = true;
        if (apart) lose(Lost::order, "items." + std::to_string(k), "a result moved to its call");
        result->call_id = given_[at];
        results.blocks.push_back(std::move(block));
      }
      items_[k].blocks = std::move(rest);
    }
    for (std::size_t c = 0; c < ids.size(); ++c) {
      if (answered[c]) continue;
      lose(Lost::result, "items." + std::to_string(i),
           "the call " + json_quoted(printable(ids[c])) + " had no result");
      results.blocks.emplace_back(
          ToolResult{given_[c], names_[c], "[No result: the turn was interrupted.]", true});
    }
    return results;
  }

  static std::size_t find(const std::vector<std::string>& ids, const std::vector<bool>& answered,
                          const ToolResult& result) {
    for (std::size_t c = 0; c < ids.size(); ++c) {
      if (!answered[c] && ids[c] == result.call_id) return c;
    }
    return ids.size();
  }

  // Results that answer nothing: what they say stays, as words.
  void loose_results(Item& item, std::size_t i) {
    for (std::size_t b = 0; b < item.blocks.size(); ++b) {
      const auto* result = std::get_if<ToolResult>(&item.blocks[b]);
      if (result == nullptr) continue;
      lose(Lost::result, block_path(i, b), "a result without its call is told of in words");
      item.blocks[b] = Text{"[A result without its call, " + json_quoted(result->call_id) + ": " +
                            result->text + "]"};
    }
    if (item.role == Role::tool) item.role = Role::user;
  }

  std::vector<Item>& items_;
  Losses& losses_;
  bool changed_ = false;
  std::set<std::string> used_;
  std::vector<std::string> given_;  // ids of the calls of the item in hand, made unique
  std::vector<std::string> names_;
};

}  // namespace

void repair(std::vector<Item>& items, Losses& losses) {
  Repair(items, losses).run();
}

void name_results(std::vector<Item>& items) {
  std::map<std::string, std::string> names;
  for (Item& item : items) {
    for (Block& block : item.blocks) {
      if (const auto* call = std::get_if<ToolCall>(&block)) names[call->id] = call->name;
      auto* result = std::get_if<ToolResult>(&block);
      if (result == nullptr || !result->name.empty()) continue;
      if (const auto it = names.find(result->call_id); it != names.end()) result->name = it->second;
    }
  }
}

}  // namespace keel::msg
