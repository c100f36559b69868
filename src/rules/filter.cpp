#include "rules/filter.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <unordered_set>

namespace limpet {
namespace {

// One code point; a byte that is no UTF-8 stands for itself.
char32_t next_rune(std::string_view s, size_t& i) {
  auto c = static_cast<unsigned char>(s[i]);
  size_t n = c < 0xc2 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 1;
  if (n == 1 || i + n > s.size()) return i++, c;
  char32_t rune = c & (0x7fu >> n);
  for (size_t k = 1; k < n; k++) {
    auto d = static_cast<unsigned char>(s[i + k]);
    if ((d & 0xc0) != 0x80) return i++, c;
    rune = rune << 6 | (d & 0x3fu);
  }
  i += n;
  return rune;
}

void append_utf8(std::string& out, char32_t rune) {
  if (rune < 0x80) return out.push_back(static_cast<char>(rune));
  int more = rune < 0x800 ? 1 : rune < 0x10000 ? 2 : 3;
  out.push_back(static_cast<char>((0xf00u >> (more + 1) & 0xff) | rune >> (6 * more)));
  while (more-- > 0) out.push_back(static_cast<char>(0x80 | (rune >> (6 * more) & 0x3f)));
}

struct Item;
using Sequence = std::vector<Item>;
struct Item {
  enum Kind { kRune, kOne, kStar, kSuper, kList, kRange, kChoice } kind = kRune;
  char32_t low = 0, high = 0;
  std::u32string list;
  bool negated = false;
  std::vector<Sequence> choices;
};

// kList, kRange
bool contains(const Item& item, char32_t rune) {
  bool inside =
      item.kind == Item::kList ? item.list.find(rune) != std::u32string::npos : item.low <= rune && rune <= item.high;
  return inside != item.negated;
}

// The language of gobwas/glob, as its lexer reads it.
class GlobParser {
 public:
  explicit GlobParser(std::string_view text) {
    for (size_t i = 0; i < text.size();) runes_ += next_rune(text, i);
  }

  std::expected<Sequence, std::string> parse() {
    Sequence out;
    sequence(out, 0);
    if (!error_.empty()) return std::unexpected(error_);
    return out;
  }
  // A `{` without its `}`: compiles, and matches nothing.
  bool unclosed() const { return unclosed_; }

 private:
  bool done() const { return at_ >= runes_.size(); }

  void sequence(Sequence& out, int depth) {
    while (!done() && error_.empty()) {
      char32_t c = runes_[at_];
      if (depth > 0 && (c == U',' || c == U'}')) return;
      at_++;
      if (c == U'\\') {
        if (!done()) out.push_back({Item::kRune, runes_[at_++], 0, {}, false, {}});
      } else if (c == U'*') {
        bool super = !done() && runes_[at_] == U'*';
        at_ += super;
        out.push_back({super ? Item::kSuper : Item::kStar, 0, 0, {}, false, {}});
      } else if (c == U'?') {
        out.push_back({Item::kOne, 0, 0, {}, false, {}});
      } else if (c == U'[') {
        out.push_back(range());
      } else if (c == U'{') {
        out.push_back(choice(depth + 1));
      } else {
        out.push_back({Item::kRune, c, 0, {}, false, {}});
      }
    }
    if (depth > 0 && done()) unclosed_ = true;
  }

  Item choice(int depth) {
    Item item{Item::kChoice, 0, 0, {}, false, {}};
    for (;;) {
      sequence(item.choices.emplace_back(), depth);
      if (done() || !error_.empty()) return item;
      if (runes_[at_++] == U'}') return item;
    }
  }

  // `[a-z]`, `[abc]`, either with `!` first; nothing else.
  Item range() {
    Item item{Item::kList, 0, 0, {}, false, {}};
    if (!done() && runes_[at_] == U'!') item.negated = true, at_++;
    if (at_ + 1 < runes_.size() && runes_[at_ + 1] == U'-') {
      item.kind = Item::kRange;
      item.low = runes_[at_];
      at_ += 2;
      if (done()) return fail("a range without its upper end"), item;
      item.high = runes_[at_++];
      if (done() || runes_[at_] != U']') return fail("a range is [a-z], one pair of letters"), item;
      if (item.high < item.low) return fail("the upper end of a range is below its lower end"), item;
    } else {
      while (!done() && runes_[at_] != U']') {
        if (runes_[at_] == U'\\' && ++at_ >= runes_.size()) break;
        item.list += runes_[at_++];
      }
      if (done()) return fail("'[' without ']'"), item;
      if (item.list.empty()) return fail("'[]' lists no letter"), item;
    }
    at_++;
    return item;
  }

  void fail(std::string_view what) {
    if (error_.empty()) error_ = what;
  }

  std::u32string runes_;
  size_t at_ = 0;
  std::string error_;
  bool unclosed_ = false;
};

// What gobwas makes of a pattern of fixed length with several parts (its match/row.go): it takes the parts from the
// text one after another by their lengths in code points, but cuts the last code point of each behind its first byte.
// So a
// `?` behind which more comes does not match what has more than one byte; at the end it does.
class Row {
 public:
  // REQUIRES: is_row(sequence).
  explicit Row(const Sequence& sequence) : size_(sequence.size()) {
    for (const Item& item : sequence) {
      bool literal = item.kind == Item::kRune;
      if (!literal || parts_.empty() || parts_.back().item.kind != Item::kRune) parts_.push_back({item, 0, {}});
      parts_.back().runes++;
      if (literal) append_utf8(parts_.back().text, item.low);
    }
  }
  // Lone parts and rows of `?` it matches as one would expect.
  static bool is_row(const Sequence& sequence) {
    auto of = [&](auto... kinds) {
      return std::ranges::all_of(sequence, [&](const Item& i) { return ((i.kind == kinds) || ...); });
    };
    return sequence.size() > 1 && of(Item::kRune, Item::kOne, Item::kList, Item::kRange) && !of(Item::kRune) &&
           !of(Item::kOne);
  }

  bool matches(std::string_view text, std::u32string_view separators) const {
    size_t runes = 0;
    for (size_t i = 0; i < text.size(); runes++) next_rune(text, i);
    if (runes != size_) return false;
    for (const Part& part : parts_) {
      size_t begin = 0, end = 0;
      for (size_t n = 0; n < part.runes; n++) {
        if (end >= text.size()) return false;
        begin = end;
        next_rune(text, end);
      }
      if (!fits(part, text.substr(0, begin + 1), separators)) return false;
      text.remove_prefix(begin + 1);
    }
    return true;
  }

 private:
  struct Part {
    Item item;
    size_t runes = 0;
    std::string text;  // kRune
  };
  static bool fits(const Part& part, std::string_view cut, std::u32string_view separators) {
    constexpr char32_t kCut = 0xfffd;  // what half a code point reads as
    auto byte = static_cast<unsigned char>(cut[0]);
    char32_t rune = byte < 0x80 ? byte : kCut;
    if (part.item.kind == Item::kRune) return cut == part.text;
    if (part.item.kind == Item::kOne) return separators.find(rune) == separators.npos;
    return contains(part.item, rune);
  }

  size_t size_;
  std::vector<Part> parts_;
};

// A nondeterministic automaton, simulated: linear in the text times the pattern. Its fixed ends are compared first.
class Glob {
 public:
  Glob(const Sequence& sequence, std::u32string separators, bool never)
      : separators_(std::move(separators)), never_(never) {
    nodes_.push_back({{Item::kRune, 0, 0, {}, false, {}}, 0, kMatch});
    start_ = compile(sequence, 0);
    if (Row::is_row(sequence)) row_.emplace(sequence);
    find_ends(sequence);
  }

  bool matches(std::string_view text) const {
    if (never_ || text.size() < head_.size() + tail_.size() || !text.starts_with(head_) || !text.ends_with(tail_))
      return false;
    if (ends_suffice_) return true;
    return row_ ? row_->matches(text, separators_) : simulate(text);
  }

 private:
  friend class CommonText;

  bool simulate(std::string_view text) const {
    std::vector<uint32_t> now, next;
    std::vector<uint32_t> seen(nodes_.size(), 0);
    uint32_t round = 1;
    reach(start_, now, seen, round);
    for (size_t i = 0; i < text.size();) {
      char32_t rune = next_rune(text, i);
      next.clear();
      round++;
      for (uint32_t n : now) step(n, rune, next, seen, round);
      now.swap(next);
      if (now.empty()) return false;
    }
    return std::find(now.begin(), now.end(), 0u) != now.end();
  }

  // What every match begins and ends with; in ASCII, where a letter is a byte. For one star between them, the usual
  // glob, that is all.
  void find_ends(const Sequence& sequence) {
    auto plain = [](const Item& item) { return item.kind == Item::kRune && item.low < 0x80; };
    auto first = std::find_if_not(sequence.begin(), sequence.end(), plain);
    auto last = std::find_if_not(sequence.rbegin(), std::make_reverse_iterator(first), plain).base();
    for (auto it = sequence.begin(); it != first; ++it) head_ += static_cast<char>(it->low);
    for (auto it = last; it != sequence.end(); ++it) tail_ += static_cast<char>(it->low);
    ends_suffice_ =
        separators_.empty() && last - first == 1 && (first->kind == Item::kStar || first->kind == Item::kSuper);
  }

  enum Role : uint8_t { kMatch, kConsume, kLoop, kSplit };
  struct Node {
    Item item;
    uint32_t next;
    Role role;
    std::vector<uint32_t> branches = {};
  };

  uint32_t add(Node node) {
    nodes_.push_back(std::move(node));
    return static_cast<uint32_t>(nodes_.size() - 1);
  }
  uint32_t compile(const Sequence& sequence, uint32_t next) {
    for (size_t i = sequence.size(); i-- > 0;) {
      const Item& item = sequence[i];
      if (item.kind == Item::kChoice) {
        std::vector<uint32_t> branches;
        for (const Sequence& choice : item.choices) branches.push_back(compile(choice, next));
        next = add({{}, next, kSplit, std::move(branches)});
      } else {
        next = add({item, next, item.kind == Item::kStar || item.kind == Item::kSuper ? kLoop : kConsume});
      }
    }
    return next;
  }
  // The nodes that are reached without reading anything.
  void reach(uint32_t n, std::vector<uint32_t>& out, std::vector<uint32_t>& seen, uint32_t round) const {
    if (seen[n] == round) return;
    seen[n] = round;
    const Node& node = nodes_[n];
    if (node.role == kSplit) {
      for (uint32_t b : node.branches) reach(b, out, seen, round);
      return;
    }
    out.push_back(n);
    if (node.role == kLoop) reach(node.next, out, seen, round);
  }
  bool is_separator(char32_t rune) const { return separators_.find(rune) != separators_.npos; }
  bool takes(const Node& node, char32_t rune) const {
    switch (node.item.kind) {
      case Item::kRune:
        return node.role == kConsume && node.item.low == rune;
      case Item::kOne:
      case Item::kStar:
        return !is_separator(rune);
      case Item::kSuper:
        return true;
      case Item::kList:
      case Item::kRange:
        return contains(node.item, rune);
      case Item::kChoice:
        return false;
    }
    return false;
  }
  void step(uint32_t n, char32_t rune, std::vector<uint32_t>& out, std::vector<uint32_t>& seen, uint32_t round) const {
    const Node& node = nodes_[n];
    if (takes(node, rune)) reach(node.role == kLoop ? n : node.next, out, seen, round);
  }
  // Where the runs of letters begin that the node takes, but for the first letter of all.
  void append_beginnings(const Node& node, std::u32string& out) const {
    const Item& item = node.item;
    if (item.kind == Item::kOne || item.kind == Item::kStar)
      for (char32_t separator : separators_) out += separator + 1;
    if (item.kind == Item::kList)
      for (char32_t rune : item.list) out += rune + item.negated;
    if (item.kind == Item::kRange) out += item.negated ? item.high + 1 : item.low;
  }

  std::vector<Node> nodes_;  // 0: match
  uint32_t start_ = 0;
  std::u32string separators_;
  bool never_ = false;
  std::optional<Row> row_;
  std::string head_, tail_;
  bool ends_suffice_ = false;
};

// Two automata walked side by side, for a text that both take. No pair of their nodes is looked at twice, and no step
// leads back.
class CommonText {
 public:
  CommonText(const Glob& a, const Glob& b, StarOf star) : a_(a), b_(b), star_(star) {}

  std::optional<std::string> find() {
    constexpr size_t kPairsMax = 1 << 20;  // patterns of a thousand letters each are taken for strangers
    size_t pairs = a_.nodes_.size() * b_.nodes_.size();
    if (a_.never_ || b_.never_ || ends_differ() || pairs > kPairsMax) return std::nullopt;
    seen_.resize(pairs), steps_.reserve(64), open_.reserve(64);
    go(a_.start_, b_.start_);
    while (!open_.empty()) {
      at_ = open_.back();
      open_.pop_back();
      auto [a, b, before, letter] = steps_[at_];
      if (a == 0 && b == 0) return text();
      std::vector<bool>::reference seen = seen_[a * b_.nodes_.size() + b];
      if (!seen) look_on(a, b);
      seen = true;
    }
    return std::nullopt;
  }

 private:
  static constexpr char32_t kFresh = 1;  // a letter that no pattern asks for
  static constexpr char32_t kNone = ~char32_t{0};
  struct Step {
    uint32_t a, b;  // the nodes that it leads to
    uint32_t before;
    char32_t letter;
  };

  bool ends_differ() const {
    auto heads = std::minmax(a_.head_, b_.head_, shorter), tails = std::minmax(a_.tail_, b_.tail_, shorter);
    return !heads.second.starts_with(heads.first) || !tails.second.ends_with(tails.first);
  }
  static bool shorter(const std::string& a, const std::string& b) { return a.size() < b.size(); }

  void go(uint32_t a, uint32_t b, char32_t letter = kNone) {
    open_.push_back(static_cast<uint32_t>(steps_.size()));
    steps_.push_back({a, b, at_, letter});
  }
  // What is pushed last is tried first.
  void look_on(uint32_t a, uint32_t b) {
    const Glob::Node &x = a_.nodes_[a], &y = b_.nodes_[b];
    for (uint32_t branch : x.branches) go(branch, b);
    for (uint32_t branch : y.branches) go(a, branch);
    if (x.role == Glob::kSplit || y.role == Glob::kSplit) return;
    if (y.role == Glob::kLoop) go(a, y.next);
    if (x.role == Glob::kLoop && star_ == StarOf::kLetter) go(x.next, b);
    if (char32_t letter = common_letter(x, y); letter != kNone) go(x.next, y.role == Glob::kLoop ? b : y.next, letter);
    if (x.role == Glob::kLoop && star_ == StarOf::kNothing) go(x.next, b);
  }
  char32_t common_letter(const Glob::Node& x, const Glob::Node& y) const {
    auto both = [&](char32_t rune) { return a_.takes(x, rune) && b_.takes(y, rune); };
    for (const Item* item : {&x.item, &y.item})
      if (item->kind == Item::kRune) return both(item->low) && x.role != Glob::kLoop ? item->low : kNone;
    if (both(kFresh)) return kFresh;
    if (x.role == Glob::kLoop) return kNone;
    // The lowest letter that both take begins a run of one of them.
    std::u32string letters;
    a_.append_beginnings(x, letters), b_.append_beginnings(y, letters);
    std::ranges::sort(letters);
    auto found = std::ranges::find_if(letters, both);
    return found == letters.end() ? kNone : *found;
  }
  std::string text() const {
    std::u32string letters;
    for (uint32_t at = at_; at != 0; at = steps_[at].before)
      if (steps_[at].letter != kNone) letters += steps_[at].letter;
    std::string out;
    for (auto rune = letters.rbegin(); rune != letters.rend(); ++rune) append_utf8(out, *rune);
    return out;
  }

  const Glob &a_, &b_;
  const StarOf star_;
  std::vector<bool> seen_;
  std::vector<Step> steps_;
  std::vector<uint32_t> open_;
  uint32_t at_ = 0;
};

bool has_meta(const std::string& pattern) { return pattern.find_first_of("*?[") != pattern.npos; }

}  // namespace

struct Filter::Compiled {
  std::vector<std::string> patterns;
  std::string separators;
  std::unordered_set<std::string> literals;  // of a literal list
  std::vector<Glob> globs;                   // else one for each pattern
};

std::expected<Filter, std::string> Filter::compile(const std::vector<std::string>& patterns,
                                                   std::string_view separators) {
  Filter filter;
  if (patterns.empty()) return filter;
  auto compiled = std::make_shared<Compiled>();
  compiled->patterns = patterns;
  compiled->separators = separators;
  if (separators.empty() && std::none_of(patterns.begin(), patterns.end(), has_meta)) {
    compiled->literals.insert(patterns.begin(), patterns.end());
  } else {
    std::u32string runes;
    for (size_t i = 0; i < separators.size();) runes += next_rune(separators, i);
    for (const std::string& p : patterns) {
      GlobParser parser(p);
      auto parsed = parser.parse();
      if (!parsed) return std::unexpected("bad pattern \"" + p + "\": " + parsed.error());
      compiled->globs.emplace_back(*parsed, runes, parser.unclosed());
    }
  }
  filter.compiled_ = std::move(compiled);
  return filter;
}

bool Filter::empty() const { return !compiled_; }
bool Filter::is_literal() const { return !compiled_ || compiled_->globs.empty(); }

bool Filter::matches(std::string_view text) const {
  if (!compiled_) return false;
  if (is_literal()) return compiled_->literals.contains(std::string(text));
  return std::any_of(compiled_->globs.begin(), compiled_->globs.end(),
                     [&](const Glob& glob) { return glob.matches(text); });
}

const std::vector<std::string>& Filter::patterns() const {
  static const std::vector<std::string> kNone;
  return compiled_ ? compiled_->patterns : kNone;
}

std::optional<std::string> Filter::common_text(size_t pattern, const Filter& other, size_t others, StarOf star) const {
  return CommonText(compiled_->globs[pattern], other.compiled_->globs[others], star).find();
}

std::string_view Filter::separators() const {
  return compiled_ ? std::string_view(compiled_->separators) : std::string_view();
}

bool Filter::operator==(const Filter& other) const {
  if (!compiled_ || !other.compiled_) return compiled_ == other.compiled_;
  return compiled_->patterns == other.compiled_->patterns && compiled_->separators == other.compiled_->separators;
}

namespace {

bool any_tag(const std::vector<std::pair<std::string, Filter>>& filters, const std::vector<Tag>& tags) {
  return std::any_of(filters.begin(), filters.end(), [&](const auto& f) {
    auto tag = std::lower_bound(tags.begin(), tags.end(), f.first,
                                [](const Tag& t, const std::string& key) { return t.first < key; });
    return tag != tags.end() && tag->first == f.first && f.second.matches(tag->second);
  });
}

}  // namespace

bool Selector::matches(std::string_view name, const std::vector<Tag>& tags) const {
  if (!namepass.empty() && !namepass.matches(name)) return false;
  if (namedrop.matches(name)) return false;
  if (!tagpass.empty() && !any_tag(tagpass, tags)) return false;
  return tagdrop.empty() || !any_tag(tagdrop, tags);
}

}  // namespace limpet
