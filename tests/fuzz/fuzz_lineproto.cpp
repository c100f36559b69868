// Whatever the bytes: lines end where the parser says, what parses can be written and parses to the same again.
#include <cstdlib>
#include <string_view>

#include "lineproto/format.h"
#include "lineproto/parse.h"

using namespace limpet;

namespace {

void check(bool good) {
  if (!good) std::abort();
}

void one(std::string_view line, Dialect dialect) {
  auto point = parse_line(line, dialect);
  auto head = parse_head(line, dialect);
  if (!point) return;
  check(head && head->name == point->name && head->tags == point->tags && head->size <= line.size());
  std::string text;
  append_line(text, *point);
  text.pop_back();
  auto back = parse_line(text, Dialect::kTelegraf);
  bool odd_name = point->name.find_first_of("\\#") != std::string::npos;
  for (const auto& [key, value] : point->fields) odd_name |= key.find('\\') != std::string::npos || key.empty();
  for (const auto& [key, value] : point->tags) odd_name |= (key + value).find('\\') != std::string::npos;
  if (!odd_name) check(back && back->fields.size() <= point->fields.size() && back->time_ns == point->time_ns);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (Dialect dialect : {Dialect::kTelegraf, Dialect::kStrict}) {
    for (std::string_view rest = text; !rest.empty();) {
      LineEnd end = find_line_end(rest, dialect);
      check(end.size <= rest.size() && end.next >= end.size && (end.next > 0 || !end.complete));
      std::string_view line = rest.substr(0, end.size);
      if (!is_blank(line, dialect)) one(line, dialect);
      if (!end.complete) break;
      rest.remove_prefix(end.next);
    }
  }
  return 0;
}
