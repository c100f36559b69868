// Files in a directory that several processes, perhaps on several machines, read and write at once. Errors are texts
// for people: "FILE: No such file or directory".
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace limpet {

// The text for what errno says of a file.
std::string error_of(const std::string& file);

// No links are followed: who may write into a directory that is shared should not choose what we open. A file longer
// than `bytes_max` is an error, and so is what is no plain file.
std::expected<std::string, std::string> read_plain(const std::string& path, size_t bytes_max);

// A new file in the directory, with a name that nobody else uses, also on other machines; returns its path. To be
// linked or renamed to its place. With `sync` its bytes are on the disk.
std::expected<std::string, std::string> write_temporary(const std::string& directory, std::string_view content,
                                                        bool sync);
// The temporary file takes the place of another in one step, or is removed.
std::expected<void, std::string> rename_over(const std::string& temporary, const std::string& file);
std::expected<void, std::string> sync_directory(const std::string& path);

// Names in a directory; if it cannot be read to its end none, and errno says why.
std::optional<std::vector<std::string>> names_in(const std::string& path);

// Removes what writers that crashed left behind: temporary files over an hour older than `now_s`, Unix seconds by the
// file system's own clock.
void remove_left_behind(const std::string& directory, int64_t now_s);

}  // namespace limpet
