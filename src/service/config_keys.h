// How the long-running commands are configured: a TOML file, flags on top of it, one table of keys for both. This reads
// both, checks kinds, and reports everything that is wrong in one run, with place and advice; what a key means is its
// command's matter.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "io/endpoint.h"
#include "rules/rule_set.h"

namespace limpet {

// One key of the file, and the flag `--NAME` of the same name.
struct ConfigKey {
  enum class Kind : uint8_t { kText, kTexts, kInteger, kNumber, kBoolean, kDuration };
  std::string_view name;  // "listen.http"
  Kind kind;
  std::string_view value;  // what stands in its place in a help text: "HOST:PORT"
  std::string_view help;   // one line, with the default
};

// A flag as it was given: name without dashes, and its values.
using Flag = std::pair<std::string, std::vector<std::string>>;

struct ConfigSchema {
  std::span<const ConfigKey> keys;
  std::span<const std::string_view> tables;
  std::span<const std::string_view> later_tables = {};  // of later versions: refused as such
  // Advice for a key that nobody knows, after the usual "did you mean"; may be empty.
  std::string (*hint)(std::string_view name) = nullptr;
};

// Where something was set; a flag has no line.
struct ConfigPlace {
  std::string file;
  int line = 0, column = 0;
};

// What one key was set to, by the file or a flag, checked for its kind.
struct ConfigSetting {
  std::vector<std::string> texts;
  int64_t integer = 0;
  double number = 0;
  bool boolean = false;
  std::vector<ConfigPlace> places;  // of each text; of the value

  // REQUIRES: the kind is kText or kDuration.
  const std::string& text() const { return texts.back(); }
};

class ConfigReader {
 public:
  // Called for each key that is set, in order; flags after the file.
  using Apply = std::function<void(const ConfigKey&, const ConfigSetting&, const ConfigPlace&)>;
  ConfigReader(ConfigSchema schema, Apply apply) : schema_(schema), apply_(std::move(apply)) {}

  // An empty path: no file.
  void read(const SourceFile& file, const std::vector<Flag>& flags);
  // The place of a table's name in the file; nothing if it does not stand there.
  std::optional<ConfigPlace> place_of_table(std::string_view name) const;
  // A table of a later version was asked for.
  bool asked_for_later() const { return asked_for_later_; }

  void error(const ConfigPlace& place, std::string message);
  // What a path in the file means: it is seen from the file's directory, a flag's from the current one.
  std::string path(const ConfigSetting& setting) const;
  // The index of the word; nothing, and an error, if it is none of them.
  std::optional<size_t> word(const ConfigKey& key, const ConfigSetting& setting,
                             std::initializer_list<std::string_view> words);
  // Nanoseconds; nothing, and an error, if it is none or not within [min_ns, max_ns].
  std::optional<int64_t> duration(const ConfigKey& key, const ConfigSetting& setting, int64_t min_ns, int64_t max_ns);
  std::vector<Endpoint> endpoints(const ConfigSetting& setting,
                                  std::expected<Endpoint, std::string> (*parse)(std::string_view));
  // The endpoints that others than this machine could reach, each an error: not to be listened on.
  std::vector<Endpoint> refuse_exposed();

  // Sorted by place: of the file, then of flags.
  std::vector<Diagnostic> take_diagnostics();

 private:
  struct Toml;
  void read_file(const SourceFile& file);
  void read_flag(const Flag& flag);
  const ConfigKey* find_key(std::string_view name) const;
  void apply(const ConfigKey& key, const ConfigSetting& setting);
  std::string advice(std::string_view key, std::string_view prefix) const;

  const ConfigSchema schema_;
  const Apply apply_;
  std::string path_;
  std::vector<Diagnostic> diagnostics_;
  std::vector<std::pair<std::string, ConfigPlace>> tables_seen_;
  std::vector<std::pair<Endpoint, ConfigPlace>> exposed_;
  bool asked_for_later_ = false;
};

// True if the text is TOML and sets a key or table of the schema on its highest level.
bool sets_any_of(const SourceFile& file, const ConfigSchema& schema);
// Does the file hold [[key]]?
bool has_array_of_tables(const SourceFile& file, std::string_view key);

}  // namespace limpet
