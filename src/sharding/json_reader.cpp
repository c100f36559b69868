#include "sharding/json_reader.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

namespace limpet {
namespace {

constexpr size_t kDepthMax = 16;  // there simdjson takes what is empty alone
constexpr size_t kMembersMax = 32;

}  // namespace

struct JsonReader::Impl {
  simdjson::dom::parser parser;
  simdjson::dom::element at;
};

bool parse_hex(std::string_view text, uint64_t& out) {
  if (text.size() != 16) return false;
  out = 0;
  for (char c : text) {
    bool digit = c >= '0' && c <= '9';
    if (!digit && (c < 'a' || c > 'f')) return false;
    out = out << 4 | static_cast<uint64_t>(digit ? c - '0' : c - 'a' + 10);
  }
  return true;
}

JsonReader::JsonReader(std::string_view text) : impl_(std::make_unique<Impl>()) {
  auto error = impl_->parser.allocate(std::max<size_t>(text.size(), 64), kDepthMax);
  if (!error) error = impl_->parser.parse(text.data(), text.size(), true).get(impl_->at);
  if (error) fail(simdjson::error_message(error));
}

JsonReader::~JsonReader() = default;

std::string JsonReader::path() const {
  std::string out;
  for (const Step& step : path_) {
    if (step.name.empty())
      fmt::format_to(std::back_inserter(out), "[{}]", step.index);
    else
      out.append(out.empty() ? "" : ".").append(step.name);
  }
  return out;
}

void JsonReader::fail(std::string message) {
  if (failed()) return;
  std::string where = path();
  error_ = where.empty() ? std::move(message) : where + ": " + message;
}

void JsonReader::object(std::initializer_list<Member> members) {
  if (failed()) return;
  simdjson::dom::object object;
  if (impl_->at.get(object)) return fail("expected an object");
  bool seen[kMembersMax] = {};
  for (auto [name, value] : object) {
    const Member* member =
        std::find_if(members.begin(), members.end(), [&](const Member& m) { return m.name == name; });
    if (member == members.end()) continue;
    auto index = static_cast<size_t>(member - members.begin());
    path_.push_back({member->name, 0});
    if (seen[index]) fail("stands there twice");
    seen[index] = true;
    impl_->at = value;
    if (!failed()) member->read();
    if (failed()) return;
    path_.pop_back();
  }
  for (const Member& member : members)
    if (member.required && !seen[&member - members.begin()]) return fail(fmt::format("\"{}\" is missing", member.name));
}

void JsonReader::array(const std::function<void()>& read_element) {
  if (failed()) return;
  simdjson::dom::array array;
  if (impl_->at.get(array)) return fail("expected an array");
  path_.push_back({{}, 0});
  for (simdjson::dom::element element : array) {
    impl_->at = element;
    read_element();
    if (failed()) return;
    path_.back().index++;
  }
  path_.pop_back();
}

std::string_view JsonReader::text() {
  std::string_view text;
  if (!failed() && impl_->at.get(text)) fail("expected a string");
  return text;
}

int64_t JsonReader::integer(int64_t from, int64_t to) {
  int64_t number = 0;
  if (!failed() && (impl_->at.get(number) || number < from || number > to))
    fail(fmt::format("expected a whole number from {} to {}", from, to));
  return number;
}

uint64_t JsonReader::natural() {
  uint64_t number = 0;
  if (!failed() && impl_->at.get(number)) fail("expected a whole number, not negative");
  return number;
}

double JsonReader::number(double from, double to) {
  double number = 0;
  if (!failed() && (impl_->at.get(number) || !(number >= from && number <= to)))
    fail(fmt::format("expected a number from {} to {}", from, to));
  return number;
}

}  // namespace limpet
