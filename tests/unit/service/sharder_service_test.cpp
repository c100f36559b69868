#include "service/sharder_service.h"

#include <doctest/doctest.h>

namespace limpet {

TEST_CASE("looks of nearly 2 s are no hold-up: what is rested after them is shorter") {
  for (int64_t look_ns = 0; look_ns <= 1800 * kMillisecondNs; look_ns += 10 * kMillisecondNs) {
    ShardService::Rest rest = ShardService::rest_after(look_ns);
    CHECK(look_ns + rest.ns < Sharder::kHeldUpNs);
    CHECK(rest.ns >= ShardService::kRestNs);
    CHECK(rest.deaf_ns >= ShardService::kRestNs);
    CHECK(rest.deaf_ns <= rest.ns);
  }
  CHECK(ShardService::rest_after(10 * kSecondNs).ns == ShardService::kRestNs);
}

TEST_CASE("short looks follow one another every 500 ms, longer ones after a second") {
  CHECK(ShardService::rest_after(kMillisecondNs).ns == ShardService::kPollNs);
  CHECK(ShardService::rest_after(kMillisecondNs).deaf_ns == ShardService::kRestNs);
  CHECK(ShardService::rest_after(250 * kMillisecondNs).ns == kSecondNs);
  CHECK(ShardService::rest_after(800 * kMillisecondNs).ns == kSecondNs);
}

}  // namespace limpet
