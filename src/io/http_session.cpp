// One HTTP connection: read a request, hand it over, write the answer, and so on until somebody closes it.
#include <algorithm>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <optional>

#include "base/limits.h"
#include "io/gzip.h"
#include "io/network_impl.h"

namespace limpet {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

// What clients of both APIs read: `code` and `message` those of v2, `error` those of v1. REQUIRES: no quotes.
std::string error_body(const std::string& code, const std::string& why) {
  return "{\"code\":\"" + code + "\",\"message\":\"" + why + "\",\"error\":\"" + why + "\"}";
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); i++) {
    unsigned byte = 0;
    if (text[i] == '+')
      out += ' ';
    else if (text[i] == '%' && i + 2 < text.size() &&
             std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16).ptr == text.data() + i + 3)
      out += static_cast<char>(byte), i += 2;
    else
      out += text[i];
  }
  return out;
}

class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(NetworkShared& shared, asio::ip::tcp::socket socket) : shared_(shared), stream_(std::move(socket)) {
    shared_.connections++;
  }
  ~HttpSession() { shared_.connections--; }
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;

  void read_header() {
    held_.reset();
    held_ = std::make_unique<BodyBytes>(shared_);
    parser_.emplace();
    parser_->header_limit(limits::kHttpHeaderBytesMax);
    parser_->body_limit(shared_.limits.body_bytes);
    stream_.expires_after(std::chrono::nanoseconds(shared_.limits.idle_ns));
    http::async_read_header(stream_, buffer_, *parser_, [self = shared_from_this()](beast::error_code error, size_t) {
      if (error) return self->refuse(error);
      self->on_header();
    });
  }

 private:
  void on_header() {
    shared_.requests++;
    if (auto length = parser_->content_length(); length && !held_->hold(*length))
      return send(answer_overloaded("too many bytes wait to be applied"), false);
    if (beast::iequals(parser_->get()[http::field::expect], "100-continue")) return send_continue();
    read_body();
  }

  void send_continue() {
    auto go_on = std::make_shared<http::response<http::empty_body>>(http::status::continue_, 11);
    http::async_write(stream_, *go_on, [self = shared_from_this(), go_on](beast::error_code error, size_t) {
      if (!error) self->read_body();
    });
  }

  void read_body() {
    if (parser_->is_done()) return on_request();
    stream_.expires_after(std::chrono::nanoseconds(shared_.limits.idle_ns));
    http::async_read_some(stream_, buffer_, *parser_, [self = shared_from_this()](beast::error_code error, size_t) {
      if (error) return self->refuse(error);
      size_t held = self->parser_->get().body().size();
      if (auto length = self->parser_->content_length()) held = std::max<size_t>(held, *length);
      if (!self->held_->hold(held)) return self->send(answer_overloaded("too many bytes wait to be applied"), false);
      self->read_body();
    });
  }

  void refuse(beast::error_code error) {
    if (error == http::error::body_limit)
      return send({.status = 413, .body = error_body("request too large", "the body is too long")}, false);
    if (error == http::error::header_limit)
      return send({.status = 431, .body = error_body("invalid", "the header is too long")}, false);
    if (error.category() == http::make_error_code(http::error::bad_method).category() &&
        error != http::error::end_of_stream && error != http::error::partial_message)
      return send({.status = 400, .body = error_body("invalid", "not HTTP: " + error.message())}, false);
    close();
  }

  void on_request() {
    auto message = parser_->release();
    keep_alive_ = message.keep_alive();
    is_head_ = message.method() == http::verb::head;
    HttpRequest request;
    request.method = std::string_view(message.method_string());
    std::string_view target = message.target();
    size_t question = target.find('?');
    request.path = target.substr(0, question);
    if (question != target.npos) request.query = parse_query(target.substr(question + 1));
    request.content_type = std::string_view(message[http::field::content_type]);
    request.body = std::move(message.body());
    auto encoding = message[http::field::content_encoding];
    if (beast::iequals(encoding, "gzip")) {
      if (!inflate(request.body)) return;
    } else if (!encoding.empty() && !beast::iequals(encoding, "identity")) {
      return send({.status = 415, .body = error_body("invalid", "Content-Encoding: only gzip")}, keep_alive_);
    }
    shared_.answers_to_write++;
    HttpReply reply([self = shared_from_this()](HttpAnswer answer) {
      asio::post(self->stream_.get_executor(), [self, answer = std::move(answer)]() mutable {
        self->shared_.answers_to_write--;
        self->send(std::move(answer), self->keep_alive_);
      });
    });
    stream_.expires_never();
    shared_.handlers.http(std::move(request), std::move(reply));
  }

  // False: answered.
  bool inflate(std::string& body) {
    size_t room = held_->room();
    auto plain = inflate_body(body, std::min(shared_.limits.inflated_bytes, room));
    if (!plain && plain.error() == InflateError::kMalformed)
      return send({.status = 400, .body = error_body("invalid", "the gzip data is damaged")}, keep_alive_), false;
    if (!plain && room < shared_.limits.inflated_bytes)
      return send(answer_overloaded("too many bytes wait to be applied"), keep_alive_), false;
    if (!plain)
      return send({.status = 413, .body = error_body("request too large", "the inflated body is too long")},
                  keep_alive_),
             false;
    body = std::move(*plain);
    held_->hold(body.size());
    return true;
  }

  void send(HttpAnswer answer, bool keep_alive) {
    auto response = std::make_shared<http::response<http::string_body>>(static_cast<http::status>(answer.status), 11);
    response->set(http::field::server, "limpet/" LIMPET_VERSION);
    for (const auto& [name, value] : answer.headers) response->set(name, value);
    if (answer.status != 204) response->set(http::field::content_type, answer.content_type);
    response->keep_alive(keep_alive);
    response->body() = std::move(answer.body);
    if (answer.status != 204) response->prepare_payload();
    if (is_head_) response->body().clear();
    held_.reset();
    stream_.expires_after(std::chrono::nanoseconds(shared_.limits.idle_ns));
    http::async_write(stream_, *response,
                      [self = shared_from_this(), response, keep_alive](beast::error_code error, size_t) {
                        if (error || !keep_alive) return self->close();
                        self->is_head_ = false;
                        self->read_header();
                      });
  }

  // In an order that lets the peer read the answer even where it is still sending: first our end, then, when it has
  // seen it, its own.
  void close() {
    beast::error_code ignored;
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    stream_.expires_after(std::chrono::seconds(1));
    drain();
  }
  void drain() {
    drained_ += buffer_.size();
    buffer_.clear();
    if (drained_ > 2 * shared_.limits.body_bytes) return;
    stream_.async_read_some(buffer_.prepare(64 * 1024), [self = shared_from_this()](beast::error_code error, size_t n) {
      if (error) return;
      self->buffer_.commit(n);
      self->drain();
    });
  }

  NetworkShared& shared_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::unique_ptr<BodyBytes> held_;
  bool keep_alive_ = false;
  bool is_head_ = false;
  size_t drained_ = 0;
};

}  // namespace

std::string_view HttpRequest::parameter(std::string_view name) const {
  for (const auto& [key, value] : query)
    if (key == name) return value;
  return {};
}

std::vector<std::pair<std::string, std::string>> parse_query(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> query;
  while (!text.empty()) {
    std::string_view part = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    if (part.empty()) continue;
    size_t equals = part.find('=');
    query.emplace_back(percent_decoded(part.substr(0, equals)),
                       equals == part.npos ? std::string() : percent_decoded(part.substr(equals + 1)));
  }
  return query;
}

HttpAnswer answer_overloaded(std::string_view why) {
  return {.status = 503, .body = error_body("unavailable", std::string(why)), .headers = {{"Retry-After", "1"}}};
}

void run_http_session(NetworkShared& shared, asio::ip::tcp::socket socket) {
  std::make_shared<HttpSession>(shared, std::move(socket))->read_header();
}

}  // namespace limpet
