#include "io/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <climits>

namespace limpet {
namespace {

constexpr int kGzipWindow = 15 + 16;  // zlib's way to ask for the gzip wrapper
constexpr size_t kStepBytes = 256 * 1024;

uInt clip(size_t n) { return static_cast<uInt>(std::min<size_t>(n, UINT_MAX)); }

}  // namespace

bool is_gzip(std::string_view bytes) { return bytes.starts_with("\x1f\x8b"); }

struct GzipStream::State {
  z_stream z{};
  bool begun = false;  // within a member
};

GzipStream::GzipStream() : state_(std::make_unique<State>()) { inflateInit2(&state_->z, kGzipWindow); }
GzipStream::~GzipStream() { inflateEnd(&state_->z); }

GzipStream::Step GzipStream::step(std::string_view in, std::span<char> out) {
  z_stream& z = state_->z;
  z.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(in.data()));
  z.avail_in = clip(in.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = clip(out.size());
  Step step;
  if (z.avail_in > 0) state_->begun = true;
  int result = inflate(&z, Z_NO_FLUSH);
  if (result == Z_STREAM_END) {
    state_->begun = false;
    inflateReset(&z);
  } else if (result != Z_OK && result != Z_BUF_ERROR) {
    step.ok = false;
  }
  step.taken = static_cast<size_t>(reinterpret_cast<const char*>(z.next_in) - in.data());
  step.given = static_cast<size_t>(reinterpret_cast<char*>(z.next_out) - out.data());
  return step;
}

bool GzipStream::at_member_end() const { return !state_->begun; }

std::expected<std::string, InflateError> inflate_body(std::string_view gzip, size_t bytes_max) {
  if (gzip.empty()) return std::string();
  GzipStream stream;
  std::string plain;
  for (;;) {
    size_t have = plain.size();
    plain.resize(std::min(have + std::max(kStepBytes, have), bytes_max + 1));
    GzipStream::Step step = stream.step(gzip, {plain.data() + have, plain.size() - have});
    plain.resize(have + step.given);
    gzip.remove_prefix(step.taken);
    if (!step.ok) return std::unexpected(InflateError::kMalformed);
    if (plain.size() > bytes_max) return std::unexpected(InflateError::kTooLong);
    if (step.given == 0 && gzip.empty()) break;
    if (step.given == 0 && step.taken == 0) return std::unexpected(InflateError::kMalformed);
  }
  if (!stream.at_member_end()) return std::unexpected(InflateError::kMalformed);
  return plain;
}

std::string deflate_body(std::string_view text) {
  z_stream z{};
  deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&z, text.size()) + 32, '\0');
  z.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(text.data()));
  z.avail_in = clip(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = clip(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

}  // namespace limpet
