#include "tool/calculator_tool.h"

#include "base/text.h"
#include "tool/arithmetic.h"

namespace keel::tool {
namespace {

class CalculatorTool final : public Tool {
 public:
  const msg::Tool& spec() const override { return spec_; }
  Effect effect() const override { return Effect::pure; }
  policy::Sink sink() const override { return policy::Sink::none; }

 private:
  Result<Outcome> run(const Json& arguments, Context& context) override {
    const std::string expression = std::string(trim(TRY(json_string(arguments, "expression"))));
    const Number result = TRY(evaluate(expression));
    // The expression comes back with the result, so the outcome is labelled like its context.
    return Outcome{expression + " = " + result.text(), false, context.label.integrity,
                   context.label.confidentiality};
  }

  msg::Tool spec_{"calculator", "Compute numbers exactly. Use it for any arithmetic.",
                  schema_literal(R"json({"type":"object","properties":{
                    "expression":{"type":"string","minLength":1,
                      "description":"e.g. 17% of 2340, (3+4)*5, 2^10, sqrt(2), round(10/3, 2)"}},
                    "required":["expression"],"additionalProperties":false})json")};
};

}  // namespace

std::unique_ptr<Tool> make_calculator_tool() {
  return std::make_unique<CalculatorTool>();
}

}  // namespace keel::tool
