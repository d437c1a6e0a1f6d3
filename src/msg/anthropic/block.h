// Content blocks of Anthropic Messages, as they stand in requests and in answers.
#pragma once

#include "msg/carry.h"

namespace keel::msg::anthropic {

inline constexpr Dialect here = Dialect::anthropic;

// `model`: whose thinking it is, "" if unknown.
Result<Block> read_block(const Value& value, const std::string& where, const std::string& model,
                         Losses& losses);
// Writes one block, or nothing where the dialect cannot carry it (then with a loss).
void write_block(Writer& w, const Block& block, const Target& target, const std::string& where,
                 Losses& losses);
// The content of a message: a string for one plain text, otherwise an array.
void write_content(Writer& w, const std::vector<const Block*>& blocks, const Target& target,
                   const std::string& where, Losses& losses);
// Whether the server that signed it would accept it for this model. `client_model`: whose it is if
// it does not say.
bool sendable(const Thinking& thinking, const std::string& client_model, const std::string& model);

}  // namespace keel::msg::anthropic
