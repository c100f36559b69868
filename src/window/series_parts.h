// For OUTER(INNER): the INNER state of each input series of a group in one pane, found by the hash of the series' identity.
// A record holds only what INNER needs. Order-independent: merge by series.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/codec.h"
#include "rules/function_spec.h"
#include "window/sample.h"

namespace limpet {

class SeriesParts {
 public:
  explicit SeriesParts(FunctionKind inner = FunctionKind::kCount);

  // True if INNER took the sample.
  bool add(const Sample& sample);
  void merge(const SeriesParts& other);
  size_t size() const { return count_; }
  size_t bytes() const { return records_.capacity() * 8 + index_.capacity() * 4; }
  // Calls f(value) for the INNER value of each series over a window of `period_ns`, in order of the series' hashes (so that results do
  // not depend on the order of arrival). kFirst/kLast of values that are no numbers: f gets nullopt (count(last) counts them).
  void for_each(int64_t period_ns, const std::function<void(std::optional<double>)>& f) const;

  void encode(Writer& out) const;
  bool decode(Reader& in);

 private:
  uint64_t* find_or_add(uint64_t series_hash);
  void grow();

  FunctionKind inner_;
  uint32_t stride_ = 0;            // words a record: the hash, then what INNER needs
  uint32_t count_ = 0;
  std::vector<uint64_t> records_;  // count_ * stride_ words
  std::vector<uint32_t> index_;    // open addressing into records_, power of two, 0 is free; empty while there are at most 8
};

}  // namespace limpet
