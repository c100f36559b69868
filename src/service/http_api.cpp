#include "service/http_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "io/stderr_log.h"

namespace limpet {
namespace {

using nlohmann::ordered_json;

constexpr int64_t kHungNs = 30 * kSecondNs;

std::string dump(const ordered_json& json) { return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace); }

// Minutes and hours only the older of the two writes knows.
std::optional<Precision> precision_of(std::string_view text, WriteApi api) {
  if (text.empty() || text == "ns" || text == "n") return Precision::kNs;
  if (text == "us" || text == "u" || text == "\xc2\xb5" || text == "\xc2\xb5s") return Precision::kUs;
  if (text == "ms") return Precision::kMs;
  if (text == "s") return Precision::kS;
  if (text == "m" && api == WriteApi::kV1) return Precision::kMinute;
  if (text == "h" && api == WriteApi::kV1) return Precision::kHour;
  return std::nullopt;
}

bool is_create_database(std::string_view query) {
  std::string words;
  for (char c : query.substr(0, 64)) {
    bool blank = std::isspace(static_cast<unsigned char>(c));
    if (blank && (words.empty() || words.back() == ' ')) continue;
    words += blank ? ' ' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return words.starts_with("CREATE DATABASE ");
}

HttpAnswer answer_query(const HttpRequest& request) {
  std::string query(request.parameter("q"));
  if (query.empty() && request.content_type.starts_with("application/x-www-form-urlencoded"))
    for (const auto& [name, value] : parse_query(request.body))
      if (name == "q") query = value;
  if (is_create_database(query)) return {.status = 200, .body = R"({"results":[{"statement_id":0}]})"};
  return answer_error(WriteApi::kV1, 400, "invalid", "Limpet keeps no data: only CREATE DATABASE is accepted");
}

HttpAnswer answer_health(const Health& health) {
  int64_t silent_ns = monotonic_now().ns - health.heartbeat_ns;
  if (silent_ns > kHungNs)
    return {.status = 503,
            .body = fmt::format("the engine has not come round for {} s\n", silent_ns / kSecondNs),
            .content_type = "text/plain"};
  return {.status = 200, .body = "ok\n", .content_type = "text/plain"};
}

HttpAnswer answer_ready(const Health& health) {
  if (health.stopping) return {.status = 503, .body = "stopping\n", .content_type = "text/plain"};
  if (!health.rules_ok)
    return {.status = 503, .body = "the rules have errors: every line passes through\n", .content_type = "text/plain"};
  if (!health.assigned)
    return {.status = 503,
            .body = "no assignment names this pod: every line is another pod's\n",
            .content_type = "text/plain"};
  return {.status = 200, .body = "ready\n", .content_type = "text/plain"};
}

HttpAnswer answer_influx_health() {
  ordered_json json = {{"name", "limpet"},          {"message", "ready for queries and writes"},
                       {"status", "pass"},          {"checks", ordered_json::array()},
                       {"version", LIMPET_VERSION}, {"commit", ""}};
  return {.status = 200, .body = dump(json)};
}

}  // namespace

HttpAnswer answer_error(WriteApi api, int status, const std::string& code, const std::string& message) {
  ordered_json json;
  if (api == WriteApi::kV1)
    json["error"] = message;
  else
    json["code"] = code, json["message"] = message;
  return {.status = status, .body = dump(json)};
}

HttpAnswer answer_write(const WriteBody& body) {
  if (body.bad == 0) return {.status = 204, .body = {}};
  std::string more = body.bad > 1 ? fmt::format(" (and {} more)", body.bad - 1) : "";
  return answer_error(body.api, 400, "invalid",
                      fmt::format("partial write: unable to parse line {}: at column {}: {}{}", body.first_bad_line,
                                  body.first_error.offset + 1, body.first_error.text, more));
}

void HttpApi::write(HttpRequest request, HttpReply reply, WriteApi api) {
  if (request.method != "POST") return reply(answer_error(api, 405, "method not allowed", "POST lines here"));
  auto precision = precision_of(request.parameter("precision"), api);
  if (!precision)
    return reply(answer_error(api, 400, "invalid",
                              fmt::format("precision \"{}\" is not supported: {}", request.parameter("precision"),
                                          api == WriteApi::kV1 ? "ns, us, ms, s, m or h" : "ns, us, ms or s")));
  if (health_.stopping) return reply(answer_overloaded("stopping"));
  request.body.append(kBlockPadding, '\0');
  inbox_.push(
      WriteBody{.text = std::move(request.body), .precision = *precision, .api = api, .reply = std::move(reply)});
}

void HttpApi::handle(HttpRequest request, HttpReply reply) {
  const std::string& path = request.path;
  bool reads = request.method == "GET" || request.method == "HEAD";
  if (path == "/api/v2/write") return write(std::move(request), std::move(reply), WriteApi::kV2);
  if (path == "/write") return write(std::move(request), std::move(reply), WriteApi::kV1);
  if (path == "/ping")
    return reply({.status = 204, .body = {}, .headers = {{"X-Influxdb-Version", "limpet-" LIMPET_VERSION}}});
  if (path == "/query" && (reads || request.method == "POST")) return reply(answer_query(request));
  if (!reads) {
    bool known =
        path == "/health" || path == "/healthz" || path == "/readyz" || path == "/metrics" || path == "/api/status";
    return reply(answer_error(WriteApi::kV2, known ? 405 : 404, known ? "method not allowed" : "not found",
                              known ? "GET it" : "no such path"));
  }
  if (path == "/health") return reply(answer_influx_health());
  if (path == "/healthz") return reply(answer_health(health_));
  if (path == "/readyz") return reply(answer_ready(health_));
  if (path == "/metrics") return inbox_.push(StatusRequest{StatusRequest::Form::kPrometheus, std::move(reply)});
  if (path == "/api/status") return inbox_.push(StatusRequest{StatusRequest::Form::kJson, std::move(reply)});
  reply(answer_error(WriteApi::kV2, 404, "not found", "no such path"));
}

}  // namespace limpet
