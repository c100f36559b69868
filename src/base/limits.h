// Every limit of the system, each with its unit, its reason and the counter that rises when it is hit.
// Over a limit that one item is dropped or folded and counted; never a crash, never a stall.
#pragma once

#include <cstddef>
#include <cstdint>

namespace limpet::limits {

// Longest line taken in, bytes. Longer ones are skipped to the next newline. Counter: lines bad `too_long`.
inline constexpr size_t kLineBytesMax = size_t{1} << 20;
// Longest result line, bytes: Telegraf before 1.33.3 stops reading at 256 KiB, tools behind it at 64 KiB. Longer ones
// are split by fields; a field that alone is longer is left out. Counter: `too_long` of the rule.
inline constexpr size_t kResultBytesMax = 60 * 1024;
// Tags and fields of a line. Counter: lines bad `too_many`.
inline constexpr size_t kTagsMax = 1024;
inline constexpr size_t kFieldsMax = 65536;
// Input fields of one group: each is numbered in 16 bits. Samples of further ones are dropped. Counter: samples dropped
// `limit`.
inline constexpr size_t kGroupFieldsMax = 65535;
// Input series remembered at once, bounded for memory (about 100 bytes each). Lines of further ones are decided anew
// each time: nothing is lost, but they cost as much as a first sight. Gauge: `series`.
inline constexpr size_t kSeriesMax = 20'000'000;
// Rules of all files together. A file with more is refused with an error. All may take one line, before and after a
// reload at once, and those that take a line are numbered in 16 bits.
inline constexpr size_t kRulesMax = 32'000;
// Dotted parts of a key in a TOML file, with those of the inline tables around it: toml++ makes a table of each and
// destroys them by recursion. More is an error of the file.
inline constexpr size_t kTomlKeyPartsMax = 100;
// Panes of a window: `every` into `period`. More is an error of the rule.
inline constexpr int64_t kPanesPerWindowMax = 1000;
// `period`, `grace`, `late_limit`, `future_limit` of a rule, ns: 10000 days. They are added to times, a few at once,
// and the sum must still be one (int64 ns end in 2262). More is an error of the rule.
inline constexpr int64_t kTimeSpanNsMax = int64_t{10'000} * 24 * 3600 * 1'000'000'000;
// One log line, bytes; Telegraf stops reading stderr at 64 KiB. Longer texts are cut.
inline constexpr size_t kLogLineBytesMax = 8 * 1024;
// Header of one HTTP request, bytes. Answer 431.
inline constexpr size_t kHttpHeaderBytesMax = 16 * 1024;
// One HTTP body, bytes, on the wire and inflated. Answer 413.
inline constexpr size_t kHttpBodyBytesMax = size_t{32} << 20;
inline constexpr size_t kHttpInflatedBytesMax = size_t{256} << 20;
// Open connections of the listeners. Further ones are closed at once. Counter: `connections_refused`.
inline constexpr size_t kConnectionsMax = 1024;
// Bodies that wait for the engine, bytes. Answer 503.
inline constexpr size_t kQueueBytesMax = size_t{256} << 20;
// What waits for stdout, bytes. Lines to be written back beyond it are dropped. Counter: lines `shed`.
inline constexpr size_t kOutputBytesMax = size_t{64} << 20;
// Rendered results that wait while stdout is stuck, bytes. Most wait inside the engine, as frozen windows; these are of
// groups that new samples touched. Those beyond it are dropped. Counter: `results_dropped`.
inline constexpr size_t kResultsBytesMax = size_t{512} << 20;

}  // namespace limpet::limits
