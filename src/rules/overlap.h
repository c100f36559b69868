// Which rules can take the same lines, as far as their selectors say. Internal to this folder.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "rules/build.h"

namespace limpet {

// True for a rule that lists the measurements it asks for.
bool names_literally(const Rule& rule);
// namepass and namedrop let this measurement through.
bool takes_name(const Selector& selector, const std::string& name);
// Could one input measurement be taken by both?
bool names_meet(const Selector& a, const Selector& b);
// Told apart by the literal values of one tag.
bool tags_differ(const Selector& a, const Selector& b);
// Surely `wide` lets every line through that `narrow` does. False: perhaps.
bool covers(const Selector& wide, const Selector& narrow);
// A field that both take, a pattern of theirs each.
std::optional<std::string> common_field(const Rule& a, const FieldFunctions& fa, const Rule& b,
                                        const FieldFunctions& fb);

using DraftList = std::vector<const DraftRule*>;
// Sorts them and leaves each there once. They stand in one vector, so that this is file order.
void put_in_order(DraftList& drafts);

// Rules by the measurements they ask for, so that not every pair of them need be looked at.
class RulesByName {
 public:
  void add(const DraftRule& draft);
  // Appends those that may take a measurement that the rule takes, too; some more than once, some in vain.
  void find(const Rule& rule, DraftList& out) const;

 private:
  // By names that are listed, and by what patterns begin with before their first wildcard.
  std::map<std::string, DraftList, std::less<>> names_, beginnings_;
};

}  // namespace limpet
