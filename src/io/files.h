// Whole files: reading, replacing, finding. Errors are texts for people: "FILE: No such file or directory".
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace limpet {

// Follows links. A file longer than `bytes_max` is an error, and so is what is no regular file, but for what stands
// below /dev/ and /proc/: that is read to its end.
std::expected<std::string, std::string> read_file(const std::string& path, size_t bytes_max = size_t{64} << 20);

// For a file that a user names, whatever it is. A regular or a new one is replaced in one step, where a link leads to:
// written to a temporary file beside it, synced, renamed over it, the directory synced; after a crash the old or the
// new content is there, and at most a file named PATH.tmp. A device, a FIFO or what is open already (/dev/stdout) is
// written to; a FIFO without a reader is an error. REQUIRES: SIGPIPE is ignored.
std::expected<void, std::string> write_file(const std::string& path, std::string_view content);

// The files that match any of the shell patterns, sorted, each once. Relative patterns are seen from `directory`
// (empty: the current one). Directories are left out. A pattern without `*?[` that names no file stays in the result,
// so that reading it gives an error.
std::vector<std::string> expand_globs(const std::vector<std::string>& patterns, const std::string& directory = {});

// "dir" of "dir/file", "." of "file", "/" of "/file".
std::string directory_of(const std::string& path);
// `path` seen from `directory`, unless it is absolute or the directory is empty or ".".
std::string join_path(const std::string& directory, const std::string& path);

}  // namespace limpet
