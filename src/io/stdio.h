// The standard streams as Telegraf's child has them: pipes that must never block us, and whose last bytes must be taken
// before we go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace limpet {

// A pipe or a socket: somebody else reads or writes at its own pace.
bool is_stream(int fd);
bool is_pipe(int fd);
bool is_null_device(int fd);
bool is_terminal(int fd);

// Returns true if the flag was changed.
bool set_nonblocking(int fd, bool on);
// Asks for a larger pipe; what the kernel does not grant is no matter.
void enlarge_pipe(int fd, size_t bytes);
// Bytes written to a pipe or socket that nobody has read yet; 0 where there is no way to know.
size_t unread_bytes(int fd);

enum class WriteStatus : uint8_t { kOk, kFull, kBroken };
struct WriteResult {
  size_t written = 0;
  WriteStatus status = WriteStatus::kOk;
};
// One write(2); EINTR is repeated. kFull: it would block. kBroken: nobody reads any more, or the device failed.
WriteResult write_some(int fd, std::string_view bytes);

void wait_until_writable(int fd);

struct ReadResult {
  size_t read = 0;
  bool ended = false;  // end of the stream, or an error that ends it
};
ReadResult read_some(int fd, char* to, size_t bytes);

}  // namespace limpet
