#include "gateway/api/listing.h"

#include <fmt/format.h>

namespace keel::api {
namespace {

void add_metric(std::string& out, std::string_view name, std::string_view type,
                std::string_view help, std::uint64_t value) {
  out += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{0} {3}\n", name, help, type, value);
}

}  // namespace

Json model_entry(const model::Info& model) {
  Json entry{{"id", model.name},
             {"object", "model"},
             {"created", 0},
             {"owned_by", "keel"},
             {"type", "model"},
             {"display_name", model.name},
             {"created_at", "1970-01-01T00:00:00Z"}};
  if (model.context > 0) {
    entry["context_length"] = model.context;
    entry["max_input_tokens"] = model.context;
  }
  return entry;
}

Json model_list(const std::vector<model::Info>& models) {
  Json data = Json::array();
  for (const model::Info& model : models) data.push_back(model_entry(model));
  const Json first = models.empty() ? Json(nullptr) : Json(models.front().name);
  const Json last = models.empty() ? Json(nullptr) : Json(models.back().name);
  return Json{{"object", "list"},
              {"data", std::move(data)},
              {"has_more", false},
              {"first_id", first},
              {"last_id", last}};
}

std::string metrics_text(const http::ServerStats& server, const Counters& counters) {
  std::string out;
  add_metric(out, "keel_http_connections", "gauge", "Open connections.", server.connections);
  add_metric(out, "keel_http_worker_threads", "gauge", "Threads that handle requests.",
             server.threads);
  add_metric(out, "keel_http_accepted_total", "counter", "Connections accepted.", server.accepted);
  add_metric(out, "keel_http_refused_total", "counter", "Connections refused for want of room.",
             server.refused);
  out +=
      "# HELP keel_http_answers_total Answers by class of status.\n"
      "# TYPE keel_http_answers_total counter\n";
  out += fmt::format("keel_http_answers_total{{status=\"ok\"}} {}\n", server.answers_ok);
  out += fmt::format("keel_http_answers_total{{status=\"4xx\"}} {}\n", server.answers_4xx);
  out += fmt::format("keel_http_answers_total{{status=\"5xx\"}} {}\n", server.answers_5xx);
  add_metric(out, "keel_model_answers_total", "counter", "Model answers given to clients.",
             counters.answers);
  add_metric(out, "keel_model_failures_total", "counter", "Model calls that failed.",
             counters.failures);
  add_metric(out, "keel_model_cancelled_total", "counter", "Model calls whose client went away.",
             counters.cancelled);
  add_metric(out, "keel_model_joined_total", "counter",
             "Requests answered by the call of an equal one.", counters.joined);
  add_metric(out, "keel_model_open_streams", "gauge", "Answers that are being streamed.",
             counters.open_streams);
  add_metric(out, "keel_model_prompt_tokens_total", "counter", "Tokens of prompts.",
             counters.prompt_tokens);
  add_metric(out, "keel_model_cached_tokens_total", "counter",
             "Tokens of prompts found already evaluated.", counters.cached_tokens);
  add_metric(out, "keel_model_completion_tokens_total", "counter", "Tokens written.",
             counters.completion_tokens);
  return out;
}

}  // namespace keel::api
