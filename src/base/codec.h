// Writing and reading of the compact byte strings in which state travels: little-endian fixed integers, LEB128 varints,
// doubles as their 64 bits, strings with their length in front. A Reader never reads past its end: after the first
// failure ok() is false and every further read returns zero, so a decoder may check once, before it allocates anything
// by a decoded length.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace limpet {

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}
  void u8(uint8_t v) { out_.push_back(static_cast<char>(v)); }
  void u64(uint64_t v) {
    for (int i = 0; i < 8; i++) u8(static_cast<uint8_t>(v >> (8 * i)));
  }
  void varint(uint64_t v) {
    for (; v >= 0x80; v >>= 7) u8(static_cast<uint8_t>(v | 0x80));
    u8(static_cast<uint8_t>(v));
  }
  void zigzag(int64_t v) { varint((static_cast<uint64_t>(v) << 1) ^ static_cast<uint64_t>(v >> 63)); }
  void f64(double v) { u64(std::bit_cast<uint64_t>(v)); }
  void bytes(std::string_view v) { varint(v.size()), out_.append(v); }

 private:
  std::string& out_;
};

class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}
  bool ok() const { return ok_; }
  bool done() const { return ok_ && in_.empty(); }
  size_t left() const { return in_.size(); }
  void fail() { ok_ = false, in_ = {}; }

  uint8_t u8() {
    if (in_.empty()) return fail(), uint8_t{0};
    auto v = static_cast<uint8_t>(in_.front());
    in_.remove_prefix(1);
    return v;
  }
  uint64_t u64() {
    if (in_.size() < 8) return fail(), uint64_t{0};
    uint64_t v = 0;
    for (int i = 0; i < 8; i++) v |= uint64_t{static_cast<uint8_t>(in_[i])} << (8 * i);
    in_.remove_prefix(8);
    return v;
  }
  uint64_t varint() {
    uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      uint8_t b = u8();
      if (shift == 63 && b > 1) return fail(), uint64_t{0};
      v |= uint64_t{b & 0x7fu} << shift;
      if (b < 0x80) return v;
    }
    return fail(), uint64_t{0};
  }
  int64_t zigzag() {
    uint64_t v = varint();
    return static_cast<int64_t>(v >> 1) ^ -static_cast<int64_t>(v & 1);
  }
  double f64() { return std::bit_cast<double>(u64()); }
  std::string_view bytes() {
    uint64_t n = varint();
    if (n > in_.size()) return fail(), std::string_view{};
    std::string_view v = in_.substr(0, n);
    in_.remove_prefix(n);
    return v;
  }

 private:
  std::string_view in_;
  bool ok_ = true;
};

}  // namespace limpet
