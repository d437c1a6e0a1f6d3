// The tools by name, in canonical order (by name, so that the prompt's bytes are stable), and the
// one door to a handler: invoke() checks the name, the arguments against the schema and the policy
// before anything runs. Nothing else can call Tool::run, which is private. Add all tools before the
// first turn; afterwards any thread may read.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tool/tool.h"

namespace keel::tool {

class Registry {
 public:
  // Refuses a second tool of a name, a name that is not [a-z0-9_]{1,64}, or a schema that is not an
  // object's.
  Status add(std::unique_ptr<Tool> tool);

  const std::vector<std::unique_ptr<Tool>>& tools() const { return tools_; }
  std::vector<msg::Tool> specs() const;
  const Tool* find(std::string_view name) const;

  struct Call {
    std::string name;
    std::string arguments;  // JSON text as the model wrote it
    policy::Label label;    // of the context the call was made in
  };
  // Unknown name, broken or wrong-typed arguments, what the policy refuses and what the tool itself
  // cannot do become an Outcome with is_error and a text that tells the model what to do instead.
  // `checked`, if given, runs after all checks and before the effect (the journal's intent row);
  // its error stops the call and is returned, as is Code::cancelled.
  Result<Outcome> invoke(const Call& call, Context& context,
                         const std::function<Status()>& checked = {}) const;

 private:
  Tool* find_mutable(std::string_view name) const;

  std::vector<std::unique_ptr<Tool>> tools_;
};

// The part of JSON Schema that keel's tools and MCP servers use: type, properties, required, enum,
// const, items, additionalProperties, minimum, maximum, minLength, maxLength, minItems, maxItems,
// anyOf, oneOf; pattern and what is not named here is ignored. The first violation as
// "arguments.url must be a string, not a number", with Code::invalid_argument. A schema nested
// deeper than limits::schema_depth is Code::limit, one that is itself wrong Code::config.
Status check_schema(const Json& schema, const Json& value, std::string_view path = "arguments");

}  // namespace keel::tool
