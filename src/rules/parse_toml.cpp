#include "rules/parse_toml.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"

namespace limpet {
namespace {

// Looks at the keys of a text before toml++ does, which makes a table of each part and destroys them by recursion.
// Everything up to the first error that toml++ would find is seen as it sees it; behind that nothing matters.
class KeyScan {
 public:
  explicit KeyScan(std::string_view text) : text_(text) {}

  // Where a key begins that has too many parts, those of the inline tables around it included.
  std::optional<toml::source_position> find_too_deep() {
    while (at_ < text_.size()) {
      char c = text_[at_];
      if (c == '#')
        at_ = std::min(text_.find('\n', at_), text_.size());
      else if (c == '"' || c == '\'')
        note_key(), skip_string(c);
      else
        step(c), at_++;
      if (key_at_ != kNowhere && outer_parts_ + dots_ + 1 > limits::kTomlKeyPartsMax) return position_of(key_at_);
    }
    return std::nullopt;
  }

 private:
  void step(char c) {
    if (c == '.') {
      dots_++;
    } else if (c == '{') {
      tables_.push_back(key_parts_);
      outer_parts_ += key_parts_;
      begin_key();
    } else if (c == '}' && !tables_.empty()) {
      key_parts_ = tables_.back();  // of the list that the table stands in
      outer_parts_ -= key_parts_;
      tables_.pop_back();
      begin_key();
    } else if (c == '=') {
      key_parts_ = dots_ + 1;
      begin_key();
    } else if (std::string_view("\n,[]}").find(c) != std::string_view::npos) {
      begin_key();
    } else if (c != ' ' && c != '\t') {
      note_key();
    }
  }

  void begin_key() { dots_ = 0, key_at_ = kNowhere; }
  void note_key() {
    if (key_at_ == kNowhere) key_at_ = at_;
  }

  void skip_string(char quote) {
    const size_t quotes = text_.substr(at_, 3) == std::string(3, quote) ? 3 : 1;
    const std::string end(quotes, quote);
    for (at_ += quotes; at_ < text_.size(); at_++) {
      if (text_[at_] == '\n' && quotes == 1) return;  // an error to toml++
      if (text_[at_] == '\\' && quote == '"')
        at_++;
      else if (text_.substr(at_, quotes) == end)
        break;
    }
    at_ = std::min(at_ + quotes, text_.size());
    // A long string may end with two quotes of its own.
    for (int own = 0; quotes == 3 && own < 2 && at_ < text_.size() && text_[at_] == quote; own++) at_++;
  }

  // Columns count characters, as those of toml++ do.
  toml::source_position position_of(size_t at) const {
    toml::source_position position{1, 1};
    for (char c : text_.substr(0, at)) {
      if (c == '\n')
        position.line++, position.column = 1;
      else if ((static_cast<unsigned char>(c) & 0xc0) != 0x80)
        position.column++;
    }
    return position;
  }

  static constexpr size_t kNowhere = std::string_view::npos;
  std::string_view text_;
  size_t at_ = 0;
  size_t key_at_ = kNowhere;    // where what may be a key begins
  size_t dots_ = 0;             // in it so far
  size_t key_parts_ = 0;        // of the key whose value is read
  std::vector<size_t> tables_;  // parts of the keys of the inline tables that are open
  size_t outer_parts_ = 0;      // their sum
};

}  // namespace

toml::table parse_toml(const SourceFile& file) {
  if (auto at = KeyScan(file.text).find_too_deep()) {
    std::string error = "the key is too deep: at most " + std::to_string(limits::kTomlKeyPartsMax) +
                        " dotted parts are possible, with those of the inline tables around it";
    throw toml::parse_error(error.c_str(), *at, std::make_shared<std::string>(file.path));
  }
  return toml::parse(file.text, file.path);
}

}  // namespace limpet
