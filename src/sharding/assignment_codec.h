// Assignments and reports as bytes, as ASSIGNMENT_FORMAT.md says. Pure: files are io/assignment_directory.h's matter.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "sharding/assignment.h"
#include "sharding/report.h"

namespace limpet {

inline constexpr size_t kAssignmentBytesMax = size_t{64} << 20;  // a million slices
inline constexpr size_t kReportBytesMax = size_t{16} << 20;
inline constexpr size_t kHeaderBytesMax = 4096;

// The header and the body, each with its newline. The same assignment gives the same bytes. REQUIRES:
// check_structure(assignment) is empty, times lie from 1970 to 9999.
std::string encode(const Assignment& assignment);
// At least as many bytes as encode() writes, and as one entry of `moved` takes of them. O(slices + pods + moves).
size_t encoded_bytes_max(const Assignment& assignment);
size_t encoded_bytes_max(const Move& move);
// Verifies header, checksum, generation and structure (check_structure of invariants.h). The error says for people what
// is wrong and where, as "line 2: slices.low[7]: expected more than ...".
std::expected<Assignment, std::string> decode_assignment(std::string_view file);

// One line. Numbers that are not finite are written as 0.
std::string encode(const PodReport& report);
std::expected<PodReport, std::string> decode_report(std::string_view file);

// By the first line: what `limpet check` and `limpet inspect` take the file for.
bool looks_like_assignment(std::string_view file);
bool looks_like_report(std::string_view file);

}  // namespace limpet
