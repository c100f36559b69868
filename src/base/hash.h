// XXH3, the project's only hash.
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdint>
#include <string_view>

namespace limpet {

inline uint64_t hash64(std::string_view bytes, uint64_t seed = 0) {
  return seed ? XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed) : XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace limpet
