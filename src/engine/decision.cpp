#include "engine/decision.h"

#include <algorithm>

namespace limpet {

namespace {
constexpr size_t kFirstSlots = 16;
}

Decision::Decision(std::string measurement, std::vector<RuleEpoch*> matching, Dialect dialect)
    : measurement_(std::move(measurement)),
      matching_(std::move(matching)),
      take_of_(matching_.size(), kNoTake),
      dialect_(dialect),
      table_(kFirstSlots),
      mask_(kFirstSlots - 1),
      shift_(60) {}

uint16_t Decision::take(size_t matching) {
  uint16_t& index = take_of_[matching];
  if (index == kNoTake) {
    index = static_cast<uint16_t>(takes_.size());
    takes_.push_back({matching_[matching], &matching_[matching]->space_of(measurement_)});
  }
  return index;
}

// A name is plain if it stands in a line as it is: the parser itself is asked.
bool Decision::is_plain(std::string_view name) const {
  auto point = parse_line("m " + std::string(name) + "=1", dialect_);
  return point && point->fields.size() == 1 && point->fields[0].first == name &&
         name.find_first_of("\\\"\n") == name.npos;
}

FieldEntry Decision::make(const std::string& name) {
  FieldEntry entry;
  entry.name = &name;
  entry.size = static_cast<uint32_t>(name.size());
  std::memcpy(entry.first16, name.data(), std::min<size_t>(name.size(), 16));
  entry.first_target = static_cast<uint32_t>(targets_.size());
  for (size_t m = 0; m < matching_.size(); m++) {
    RuleEpoch& epoch = *matching_[m];
    if (!epoch.rule->takes_field(name)) continue;
    Target target;
    target.take = take(m);
    FieldSpace& space = *takes_[target.take].space;
    target.id = space.id_of(*epoch.rule, name);
    target.program = space.programs[target.id].get();
    if (target.program->has_counter) target.counter = counters_++;
    if (entry.targets > 0) {
      Target& previous = targets_.back();
      previous.same_state_as_next = &takes_[previous.take].epoch->state == &epoch.state;
      if (previous.same_state_as_next && previous.program->has_counter && target.program->has_counter) {
        target.counter = previous.counter;  // one last value, whichever definition asks
        counters_--;
      }
    }
    targets_.push_back(target);
    entry.targets++;
  }
  return entry;
}

void Decision::insert_plain(const FieldEntry& entry) {
  uint64_t key[2];
  std::memcpy(key, entry.first16, 16);
  size_t i = start(key, entry.size);
  while (table_[i].name) i = (i + 1) & mask_;
  table_[i] = entry;
}

FieldEntry& Decision::entry(std::string_view field) {
  char padded[16] = {};
  const char* at = field.data();
  if (field.size() < 16) std::memcpy(padded, field.data(), field.size()), at = padded;
  if (FieldEntry* known = find_raw(at, field.size())) return *known;
  if (auto it = odd_.find(field); it != odd_.end()) return it->second;
  const std::string& name = names_.emplace_back(field);
  FieldEntry made = make(name);
  if (!is_plain(name)) return odd_.emplace(name, made).first->second;
  if (++used_ * 2 > table_.size()) {
    std::vector<FieldEntry> old(table_.size() * 2);
    old.swap(table_);
    mask_ = table_.size() - 1, shift_--;
    for (const FieldEntry& e : old)
      if (e.name) insert_plain(e);
  }
  insert_plain(made);
  return *find_raw(at, field.size());
}

}  // namespace limpet
