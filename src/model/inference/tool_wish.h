// How much a model wishes to call one of the tools it was given, read from what it thinks comes
// next. Small models begin a call for a greeting because any call looks likely to them, and then
// name a tool that does not exist; the product of both probabilities tells the two apart
// (docs/decisions/0007-whether-a-tool-is-needed.md, with the figures the threshold comes from).
//
// Pure but for the pieces it asks for; inference thread only.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "model/inference/template.h"

namespace keel::local {

// A call is made from this probability on.
inline constexpr double kToolWish = 0.08;

class ToolWish {
 public:
  using Piece = std::function<const std::string&(Token)>;
  ToolWish(const std::vector<std::string>& tool_names, std::int32_t vocabulary, Piece piece);

  // Whether an answer that begins with this token would begin a call.
  static bool begins_call(std::string_view piece);

  // That the answer begins with a call, from the logits at its start.
  double of_call(const float* logits) const;
  // That a call names one of the tools, from the logits after kCallHead.
  double of_tools(const float* logits);
  // The likeliest of them, after of_tools(); empty if the first token leaves it open.
  const std::string& likeliest() const { return likeliest_; }

 private:
  const std::vector<std::string>& names_;
  std::vector<std::string> quoted_;  // each as it stands in a call, its closing quote with it
  std::int32_t vocabulary_;
  Piece piece_;
  std::string likeliest_;
};

}  // namespace keel::local
