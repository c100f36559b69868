// 128-bit integers, which ISO C++ does not have.
#pragma once

namespace limpet {

__extension__ using int128 = __int128;
__extension__ using uint128 = unsigned __int128;

}  // namespace limpet
