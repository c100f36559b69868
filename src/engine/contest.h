// Two rules that write one result field of one series at one time. `limpet check` refuses what the rules alone can
// show; where only the data does, the first rule in file order wins and the field is left out of the others' results.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/group.h"

namespace limpet {

struct RuleState;

using Written = std::map<std::string, const RuleState*>;  // by contest_key(): whose it is

// What others may not write at one time, asked field by field while a group is rendered. Uncontested groups pay one
// test.
class Contest {
 public:
  Contest() = default;
  Contest(const RuleState& asker, Written& written, std::set<std::string> reserved)
      : asker_(&asker), written_(&written), reserved_(std::move(reserved)) {}

  // True if the field belongs to another rule; else it now belongs to the asker. `le`: of a histogram's line.
  bool taken(std::string_view field, std::string_view le);
  // The first field that did; empty: none.
  const std::string& lost() const { return lost_; }

 private:
  const RuleState* asker_ = nullptr;
  Written* written_ = nullptr;
  std::set<std::string> reserved_;
  std::string lost_;
};

class Contests {
 public:
  // Where another rule's group writes the same series, all such groups are marked contested.
  void add(Group& group);
  void remove(Group& group);

  struct Series {
    std::vector<Group*> groups;
    std::map<int64_t, Written> written;  // by time of the results
  };
  Series* find(const Group& group);

 private:
  boost::unordered_flat_map<uint64_t, Group*> writers_;  // by hash; the first
  boost::unordered_flat_map<uint64_t, std::unique_ptr<Series>> contested_;
};

// Lines that stand beside each other as results of one group: each by its `le`, the one without by "".
using LinesOfGroup = std::set<std::string, std::less<>>;

// The key of a result field within its series.
std::string contest_key(std::string_view field, std::string_view le);

}  // namespace limpet
