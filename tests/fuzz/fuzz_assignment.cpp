// Assignments and reports: no bytes crash a decoder; what decodes is sound, encodes, and decodes to the same. The first
// byte chooses: a report; an assignment as it stands; a body, which gets a header that is right, so that the fuzzer
// need not guess checksums.
#include <fmt/format.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "sharding/assignment_codec.h"
#include "sharding/invariants.h"

using namespace limpet;

namespace {

// The generation that the body names first, as a header must.
std::string framed(std::string_view body) {
  constexpr std::string_view kName = "\"generation\":";
  size_t at = body.find(kName);
  std::string_view digits = at == body.npos ? "1" : body.substr(at + kName.size());
  digits = digits.substr(0, std::min(digits.find_first_not_of("0123456789"), digits.size()));
  return fmt::format(
      "{{\"format\":\"limpet-assignment\",\"version\":1,\"generation\":{},\"bytes\":{},\"xxh3\":\"{:016x}\"}}\n{}\n",
      digits.empty() ? "1" : digits, body.size(), hash64(body), body);
}

template <typename Decode>
void round_trip(std::string_view bytes, Decode decode) {
  auto first = decode(bytes);
  if (!first) {
    if (first.error().empty()) std::abort();
    return;
  }
  std::string text = encode(*first);
  auto second = decode(text);
  if (!second || *second != *first || encode(*second) != text) std::abort();
}

auto sound_assignment(std::string_view bytes) {
  auto decoded = decode_assignment(bytes);
  if (decoded && !check_structure(*decoded).empty()) std::abort();
  return decoded;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 3 == 0) round_trip(bytes, decode_report);
  if (data[0] % 3 == 1) round_trip(bytes, sound_assignment);
  if (data[0] % 3 == 2) round_trip(framed(bytes), sound_assignment);
  (void)looks_like_assignment(bytes), (void)looks_like_report(bytes);
  return 0;
}
