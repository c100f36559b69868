#include "engine/group.h"

#include <algorithm>
#include <cstring>

#include "lineproto/format.h"

namespace limpet {
namespace {

// Ids below it are looked up in an array; a measurement with thousands of fields of which a group has a few must not
// cost each group thousands.
constexpr uint32_t kNearIds = 128;
constexpr std::string_view kLeTag = "le";
constexpr std::string_view kIncompleteTag = "limpet_incomplete";

void append_tag(std::string& out, std::string_view key, std::string_view value) {
  size_t before = out.size();
  out += ',';
  append_tag_text(out, key);
  if (out.size() == before + 1) return out.resize(before);
  out += '=';
  size_t value_at = out.size();
  append_tag_text(out, value);
  if (out.size() == value_at) out.resize(before);
}

}  // namespace

uint32_t FieldSpace::id_of(const Rule& rule, std::string_view field) {
  auto [it, fresh] = ids.try_emplace(std::string(field), static_cast<uint32_t>(programs.size()));
  if (fresh) {
    programs.push_back(std::make_unique<FieldProgram>(rule, field));
    for (const std::string& name : programs.back()->names) clashes |= !result_names.insert(name).second;
  }
  return it->second;
}

DoubleDouble TotalPast::Life::held(int64_t pane) const {
  auto it = std::ranges::lower_bound(panes, pane, {}, &std::pair<int64_t, DoubleDouble>::first);
  return it != panes.end() && it->first == pane ? it->second : DoubleDouble{};
}

Group::Group(RuleEpoch& epoch_, FieldSpace& space_, const std::vector<Tag>& tags, uint64_t hash_)
    : epoch(epoch_), space(space_), hash(hash_) {
  prefix_ = space.measurement;
  le_at_ = incomplete_at_ = static_cast<uint32_t>(prefix_.size());
  for (const auto& [name, value] : tags) {
    append_tag(prefix_, name, value);
    if (name < kLeTag) le_at_ = static_cast<uint32_t>(prefix_.size());
    if (name < kIncompleteTag) incomplete_at_ = static_cast<uint32_t>(prefix_.size());
  }
  prefix_.shrink_to_fit();
}

Group::~Group() {
  for (const Slot& slot : slots_)
    if (slot.total) slot.total->users--;
}

std::string Group::prefix_with(std::string_view le, std::string_view incomplete) const {
  static_assert(kLeTag < kIncompleteTag);
  std::string out(prefix_, 0, le_at_);
  if (!le.empty()) append_tag(out, kLeTag, le);
  out.append(prefix_, le_at_, incomplete_at_ - le_at_);
  if (!incomplete.empty()) append_tag(out, kIncompleteTag, incomplete);
  return out.append(prefix_, incomplete_at_);
}

const Group::Slot* Group::slot_of_field(const std::string& field) const {
  auto id = space.ids.find(field);
  uint16_t index = id == space.ids.end() ? kNoSlot : slot_of(id->second);
  return index == kNoSlot ? nullptr : &slots_[index];
}

uint16_t Group::add_slot(uint32_t id, PanePool& pool) {
  if (slots_.size() >= kNoSlot) return kNoSlot;
  auto index = static_cast<uint16_t>(slots_.size());
  FieldProgram* program = space.programs[id].get();
  slots_.push_back({program, id, lines_, nullptr});
  lines_ += program->wide() ? 2 : 1;
  wide_ |= program->wide();
  auto by_field = [&](uint16_t a, uint16_t b) { return slots_[a].program->field < slots_[b].program->field; };
  by_name_.insert(std::upper_bound(by_name_.begin(), by_name_.end(), index, by_field), index);
  if (id < kNearIds) {
    if (near_.size() <= id) near_.resize(id + 1, kNoSlot);
    near_[id] = index;
  } else {
    far_[id] = index;
  }
  grow_panes(pool);
  return index;
}

void Group::construct(Pane& pane, size_t first_slot) {
  for (size_t i = first_slot; i < slots_.size(); i++) {
    new (&pane.core(slots_[i].line)) CoreCell();
    if (slots_[i].program->wide()) new (&pane.core(slots_[i].line + 1)) WideCell();
  }
}

void Group::destroy(Pane& pane) {
  for (const Slot& slot : slots_)
    if (slot.program->wide() && slot.line + 1 < pane.lines) pane.wide(slot.line + 1).~WideCell();
}

// A new field came: every pane gets room for it. Where there are very many fields, for more of them at once, so that
// the panes are not copied for each.
void Group::grow_panes(PanePool& pool) {
  if (lines_ <= room_) {
    for (Pane* pane : panes_) construct(*pane, slots_.size() - 1);
    return;
  }
  room_ = lines_ <= PanePool::kPooledLinesMax ? lines_ : lines_ + lines_ / 4;
  for (Pane*& pane : panes_) {
    Pane* larger = pool.take(room_);
    larger->number = pane->number, larger->contributor = pane->contributor, larger->version = pane->version;
    larger->heap_bytes = pane->heap_bytes;
    for (size_t i = 0; i + 1 < slots_.size(); i++) {
      uint32_t line = slots_[i].line;
      new (&larger->core(line)) CoreCell(pane->core(line));
      if (slots_[i].program->wide()) {
        new (&larger->core(line + 1)) WideCell(std::move(pane->wide(line + 1)));
        pane->wide(line + 1).~WideCell();
      }
    }
    construct(*larger, slots_.size() - 1);
    if (hot_ == pane) hot_ = larger;
    pool.give_back(pane);
    pane = larger;
  }
}

Pane* Group::find_cold_pane(int64_t number) {
  for (size_t i = panes_.size(); i-- > 0;) {
    if (panes_[i]->number == number) return hot_ = panes_[i];
    if (panes_[i]->number < number) return nullptr;
  }
  return nullptr;
}

Pane* Group::add_pane(int64_t number, PanePool& pool) {
  Pane* pane = pool.take(room_);
  pane->number = number;
  construct(*pane, 0);
  auto at =
      std::upper_bound(panes_.begin(), panes_.end(), number, [](int64_t n, const Pane* p) { return n < p->number; });
  panes_.insert(at, pane);
  return hot_ = pane;
}

void Group::drop_panes_before(int64_t number, PanePool& pool) {
  size_t n = 0;
  while (n < panes_.size() && panes_[n]->number < number) n++;
  if (n == 0) return;
  for (size_t i = 0; i < n; i++) {
    if (hot_ == panes_[i]) hot_ = nullptr;
    heap_bytes_ -= panes_[i]->heap_bytes;
    destroy(*panes_[i]);
    pool.give_back(panes_[i]);
  }
  panes_.erase(panes_.begin(), panes_.begin() + static_cast<ptrdiff_t>(n));
  if (panes_.empty()) panes_.shrink_to_fit();
}

size_t Group::bytes() const {
  return sizeof(Group) + prefix_.capacity() + slots_.capacity() * sizeof(Slot) + near_.capacity() * 2 +
         by_name_.capacity() * 2 + panes_.capacity() * sizeof(Pane*);
}

size_t Group::heap_of(const Pane& pane) const {
  size_t bytes = 0;
  for (const Slot& slot : slots_)
    if (slot.program->wide()) bytes += bytes_of(pane.wide(slot.line + 1));
  return bytes;
}

void Group::count_heap() {
  if (!wide_) return;
  heap_bytes_ = 0;
  for (Pane* pane : panes_) heap_bytes_ += pane->heap_bytes = heap_of(*pane);
}

size_t Group::walk_state_bytes() const {
  size_t total = bytes();
  for (const Pane* pane : panes_) total += (size_t{pane->lines} + 1) * sizeof(Pane) + heap_of(*pane);
  return total;
}

}  // namespace limpet
