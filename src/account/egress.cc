#include "account/egress.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "log/log.h"

namespace keel::account {
namespace {

std::string bounded(const std::string& text) {
  return shorten(to_valid_utf8(text), limits::egress_text_bytes);
}

std::string pages_json(const std::vector<std::string>& pages) {
  Json out = Json::array();
  for (const std::string& page : pages) {
    if (out.size() == limits::egress_pages) break;
    out.push_back(page);
  }
  return dump_json(out);
}

}  // namespace

Result<std::int64_t> EgressLedger::begin(const std::string& host, const net::Why& why) {
  Result<std::int64_t> entry =
      database_.write([&](store::Connection& connection) -> Result<std::int64_t> {
        store::Statement insert = TRY(connection.prepare(
            "INSERT INTO egress(at_ms, host, purpose, subject, turn, pages, state) "
            "VALUES(?1, ?2, ?3, ?4, ?5, ?6, 'intent')"));
        TRY(insert.bind(1, clock_.wall_ms())
                .bind(2, bounded(host))
                .bind(3, why.purpose)
                .bind(4, bounded(why.subject))
                .bind(5, why.turn)
                .bind(6, pages_json(why.pages))
                .run());
        return connection.last_row_id();
      });
  if (entry) return entry;
  Error error = std::move(entry).error();
  error.message =
      "nothing was sent to " + host + ", because it could not be recorded: " + error.message;
  return pass(std::move(error));
}

void EgressLedger::end(std::int64_t entry, const net::Moved& moved) {
  ++requests_;
  bytes_out_ += moved.bytes_out;
  bytes_in_ += moved.bytes_in;
  const Status done = database_.write([&](store::Connection& connection) -> Status {
    store::Statement update = TRY(connection.prepare(
        "UPDATE egress SET state = ?2, status = ?3, bytes_out = ?4, bytes_in = ?5, ms = ?6, "
        "error = ?7 WHERE id = ?1"));
    return update.bind(1, entry)
        .bind(2, moved.error.empty() ? "done" : "failed")
        .bind(3, moved.status)
        .bind(4, static_cast<std::int64_t>(moved.bytes_out))
        .bind(5, static_cast<std::int64_t>(moved.bytes_in))
        .bind(6, moved.ms)
        .bind(7, bounded(moved.error))
        .run();
  });
  if (!done) log::warn("account", "what left is recorded, its end is not: {}", done.error().text());
}

Result<std::vector<EgressRow>> EgressLedger::rows(WallMs since, int limit) {
  return database_.read([&](store::Connection& connection) -> Result<std::vector<EgressRow>> {
    store::Statement select = TRY(connection.prepare(
        "SELECT at_ms, host, purpose, subject, turn, pages, state, status, bytes_out, "
        "bytes_in, ms, error FROM egress WHERE at_ms >= ?1 ORDER BY at_ms DESC, id DESC "
        "LIMIT ?2"));
    select.bind(1, since).bind(2, std::min(limit, limits::usage_rows_max));
    std::vector<EgressRow> rows;
    while (TRY(select.step())) {
      EgressRow row{select.integer(0),
                    select.text(1),
                    {select.text(2), select.text(3), select.text(4), {}},
                    select.text(6),
                    static_cast<int>(select.integer(7)),
                    select.integer(8),
                    select.integer(9),
                    select.real(10),
                    select.text(11)};
      row.why.pages = json_texts(TRY(parse_json(select.text(5), "pages of a row")));
      rows.push_back(std::move(row));
    }
    return rows;
  });
}

std::string EgressLedger::metrics() const {
  const auto counter = [](std::string_view name, std::string_view help, std::uint64_t value) {
    return fmt::format("# HELP {0} {1}\n# TYPE {0} counter\n{0} {2}\n", name, help, value);
  };
  return counter("keel_egress_requests_total", "Requests that left the machine.", requests_) +
         counter("keel_egress_sent_bytes_total", "Bytes that left the machine.", bytes_out_) +
         counter("keel_egress_received_bytes_total", "Bytes of answers to them.", bytes_in_);
}

}  // namespace keel::account
