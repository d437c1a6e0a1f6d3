#include "tool/web_fetch_tool.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/limits.h"
#include "base/text.h"
#include "net/client.h"
#include "net/url.h"
#include "tool/charset.h"
#include "tool/file_type.h"
#include "tool/frame.h"
#include "tool/html.h"

namespace keel::tool {
namespace {

// Models leave the scheme out as people do.
Result<net::Url> read_address(std::string_view text) {
  const std::string address(trim(text));
  if (address.find("://") != address.npos) return net::parse_url(address);
  const Result<net::Url> with_scheme = net::parse_url("https://" + address);
  return with_scheme ? with_scheme : net::parse_url(address);
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// Whether the owner wrote the host: as a name of its own, not as a part of a longer one
// ("example.com" is not named by "notexample.com", "example.com.evil.example" or
// "bob@example.com").
bool names_host(std::string_view owner_text, const std::string& host) {
  const std::string text = ascii_lower(owner_text);
  for (std::size_t at = text.find(host); at != text.npos; at = text.find(host, at + 1)) {
    const bool begins =
        at == 0 || (!is_name_character(text[at - 1]) && text[at - 1] != '.' && text[at - 1] != '@');
    std::size_t end = at + host.size();
    if (end < text.size() && text[end] == '.') ++end;  // the end of a sentence, or of a longer name
    const bool ends = end >= text.size() || !is_name_character(text[end]);
    if (begins && ends) return true;
  }
  return false;
}

bool is_owner_named(const net::Url& url, std::string_view owner_text) {
  if (names_host(owner_text, url.host)) return true;
  if (url.host.starts_with("www.") && names_host(owner_text, url.host.substr(4))) return true;
  // A host in another script was typed in that script.
  for (const net::Url& named : net::urls_in(owner_text)) {
    if (named.host == url.host) return true;
  }
  return false;
}

// An address that was seen before carries nothing new outside. Nor does the front page of a host
// that was seen; any other path on it could be composed to carry something.
bool is_known(const net::Url& url, const std::vector<std::string>& known_urls) {
  const std::string text = url.text();
  return std::any_of(known_urls.begin(), known_urls.end(), [&](const std::string& known) {
    const Result<net::Url> seen = net::parse_url(known);
    if (!seen) return false;
    return seen->text() == text ||
           (seen->origin() == url.origin() && url.path == "/" && url.query.empty());
  });
}

bool is_html(std::string_view type, std::string_view body) {
  if (type == "text/html" || type == "application/xhtml+xml") return true;
  if (!type.empty() && type != "application/octet-stream" && type != "text/plain") return false;
  if (type == "text/plain") return false;
  const std::string head = ascii_lower(trim(body.substr(0, 512)));
  return head.starts_with("<!doctype html") || head.starts_with("<html");
}

bool is_plain(std::string_view type) {
  static constexpr std::array<std::string_view, 8> kTypes = {
      "application/json", "application/xml",  "application/javascript", "application/x-yaml",
      "application/yaml", "application/toml", "application/ld+json",    "application/x-ndjson"};
  return type.empty() || type.starts_with("text/") || type.ends_with("+json") ||
         type.ends_with("+xml") || std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

struct Content {
  std::string title;
  std::string text;
  std::string note;  // why there is less than one might expect
  bool truncated = false;
};

Result<Content> content_of(const net::Response& response) {
  const std::string type = media_type_of(response.content_type);
  Content content;
  content.truncated = response.truncated;
  if (is_html(type, response.body)) {
    Page page = read_page(response.body, response.content_type, response.url);
    content.title = std::move(page.title);
    content.text = std::move(page.markdown);
    content.truncated = content.truncated || page.truncated;
    if (page.needs_script)
      content.note = "The page shows its text only with JavaScript, which keel does not run.";
    return content;
  }
  const std::string_view binary = binary_type(std::string_view(response.body).substr(0, 4096));
  if (!is_plain(type) || (!binary.empty() && binary != "UTF-16 text")) {
    const std::string what = type.empty() ? std::string(binary) : type;
    return fail(Code::unsupported,
                "the address leads to " + printable(what, 80) + ", not to a page of text",
                "only HTML, plain text and JSON can be read; try another page");
  }
  content.text =
      std::string(trim(clean_text(decode_page(response.body, response.content_type, false))));
  return content;
}

// Says what happened on a status of 400 or more, in the words a person would use.
std::string status_text(const net::Response& response, const std::string& host) {
  const int status = response.status;
  std::string text = fmt::format("{}'s server answered {}", host, status);
  if (status == 401 || status == 403)
    return text + ": it does not let keel read this page. Try another page.";
  if (status == 404 || status == 410) return text + ": there is no such page. Check the address.";
  if (status == 429) return text + ": too many requests. Try later.";
  if (status >= 500) return text + ": the server has a problem of its own. Try later.";
  return text + ". Try another page.";
}

class WebFetchTool final : public Tool {
 public:
  const msg::Tool& spec() const override { return spec_; }
  Effect effect() const override { return Effect::idempotent; }
  policy::Sink sink() const override { return policy::Sink::fetch_composed; }

  policy::Sink sink_of(const Json& arguments, const Context& context) const override {
    const Result<net::Url> url = read_address(json_string_or(arguments, "url", ""));
    // An address that cannot be read is refused before anything is sent.
    if (!url) return policy::Sink::none;
    const bool known =
        is_owner_named(*url, context.owner_text) || is_known(*url, context.known_urls);
    return known ? policy::Sink::fetch_known : policy::Sink::fetch_composed;
  }

 private:
  Result<Outcome> run(const Json& arguments, Context& context) override {
    const net::Url url = TRY(read_address(TRY(json_string(arguments, "url"))));
    net::FetchRequest request;
    request.url = url.text();
    request.why.subject = spec_.name;
    request.why.turn = context.turn;
    const net::Response response = TRY(context.net.fetch(request, context.stop));
    const std::string host = TRY(net::parse_url(response.url)).host;
    if (response.status >= 300) {
      return Outcome{status_text(response, host), true, policy::Integrity::agent,
                     policy::Confidentiality::open};
    }
    const Content content = TRY(content_of(response));
    return Outcome{described(content, response.url), false, policy::Integrity::web,
                   policy::Confidentiality::open};
  }

  static std::string described(const Content& content, const std::string& address) {
    std::string out;
    if (!content.title.empty()) out += "Title: " + content.title + "\n";
    out += "Address: " + address + "\n";
    if (!content.note.empty()) out += "Note: " + content.note + "\n";
    if (content.text.empty()) return out + "The page holds no text that can be read.";
    out += framed(content.text, limits::web_text_bytes);
    if (content.truncated && content.text.size() <= limits::web_text_bytes) {
      out += "\nThe page went on; only its beginning could be read.";
    }
    return out;
  }

  msg::Tool spec_{"web_fetch", "Read one public web page.",
                  schema_literal(R"json({"type":"object","properties":{
                    "url":{"type":"string","minLength":1,
                      "description":"e.g. https://example.com/page"}},
                    "required":["url"],"additionalProperties":false})json")};
};

}  // namespace

std::unique_ptr<Tool> make_web_fetch_tool() {
  return std::make_unique<WebFetchTool>();
}

}  // namespace keel::tool
