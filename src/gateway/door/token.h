// The token that clients of the HTTP surface show: KEEL_HOME/token, made at the first start, 0600.
// It is read anew whenever the file has changed, so that a new token counts, and the old one does
// not, from the next request on.
//
// One thread at a time.
#pragma once

#include <sys/stat.h>

#include <string>
#include <string_view>

#include "base/result.h"

namespace keel::api {

// Long enough not to be guessed, and nothing that a header cannot carry. In words: token_form().
bool is_token(std::string_view text);
std::string token_form();

class TokenFile {
 public:
  // Makes the file if there is none. Code::config if it is not safe (others can read it, it is a
  // link) or what it holds is no token.
  static Result<TokenFile> open(std::string path);
  // Empty if the file is gone or not safe any more: nobody passes then.
  const std::string& current();

 private:
  explicit TokenFile(std::string path) : path_(std::move(path)) {}
  Status read();

  std::string path_;
  std::string token_;
  struct stat seen_{};
};

}  // namespace keel::api
