// For OUTER(INNER): the INNER state of each input series of a group in one pane, found by the hash of the series'
// identity. A record holds only the words that INNER needs. Order-independent: merge by series.
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
  // `outer` count takes values of any type from INNER first and last; every other OUTER numbers only.
  SeriesParts(FunctionKind inner, FunctionKind outer);

  // True if INNER took the sample.
  bool add(const Sample& sample);
  void merge(const SeriesParts& other);
  size_t size() const { return records_.size() / stride_; }
  size_t bytes() const { return records_.capacity() * 8 + index_.capacity() * 4; }
  // Calls f(value) for the INNER value of each series over a window of `period_ns`, in order of the series' hashes, so
  // that results do not depend on the order of arrival. Where values of any type count, what is no number comes as 0.
  void for_each(int64_t period_ns, const std::function<void(double)>& f) const;

  void encode(Writer& out) const;  // FORMAT.md
  bool decode(Reader& in);

 private:
  uint64_t* find_or_add(uint64_t series_hash);
  void index_record(size_t record);
  void merge_record(uint64_t* into, const uint64_t* from);
  double value_of(const uint64_t* record, int64_t period_ns) const;
  std::vector<const uint64_t*> in_order() const;

  FunctionKind inner_;
  bool any_type_;
  uint32_t stride_;  // words a record: the hash, then what INNER needs
  std::vector<uint64_t> records_;
  std::vector<uint32_t>
      index_;  // open addressing into the records, power of two, 0 is free; empty while there are at most 8
};

}  // namespace limpet
