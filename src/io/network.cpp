#include "io/network.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <map>
#include <mutex>
#include <thread>

#include "io/network_impl.h"
#include "io/unique_fd.h"

namespace limpet {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using StreamSocket = asio::generic::stream_protocol::socket;

constexpr size_t kStreamReadBytes = 64 * 1024;
constexpr auto kRetryBind = std::chrono::seconds(1);
constexpr auto kAcceptPause = std::chrono::milliseconds(100);  // after an error such as too many open files
constexpr auto kLastAnswers = std::chrono::milliseconds(500);

// A socket file that nobody listens on any more is in the way of a new one.
void remove_stale_socket(asio::io_context& context, const std::string& path) {
  struct stat s{};
  if (::lstat(path.c_str(), &s) != 0 || !S_ISSOCK(s.st_mode)) return;
  asio::local::stream_protocol::socket probe(context);
  error_code error;
  probe.connect(asio::local::stream_protocol::endpoint(path), error);
  if (error == asio::error::connection_refused) ::unlink(path.c_str());
}

}  // namespace

struct Network::Impl {
  explicit Impl(Log& log_) : log(log_) {}

  // A stream of bytes: one read at a time, handed over, and no further before resume().
  struct Stream : std::enable_shared_from_this<Stream> {
    Stream(Impl& o, uint64_t i, StreamSocket s) : owner(o), id(i), socket(std::move(s)) { owner.shared.connections++; }
    ~Stream() { owner.shared.connections--; }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    void read() {
      bytes.resize(kStreamReadBytes);
      socket.async_read_some(asio::buffer(bytes), [self = shared_from_this()](error_code error, size_t n) {
        self->bytes.resize(error ? 0 : n);
        if (error == asio::error::operation_aborted) return;
        bool ended = self->bytes.empty();
        self->owner.shared.handlers.stream(self->id, std::move(self->bytes));
        if (ended) self->owner.streams.erase(self->id);
      });
    }
    Impl& owner;
    const uint64_t id;
    StreamSocket socket;
    std::string bytes;
  };

  struct Listener {
    Listener(Impl& o, Endpoint e, bool h)
        : owner(o),
          endpoint(std::move(e)),
          http(h),
          tcp(o.shared.context),
          local(o.shared.context),
          timer(o.shared.context) {}
    ~Listener() {
      if (bound_path) ::unlink(endpoint.path.c_str());
    }
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    void try_bind() {
      error_code error = endpoint.is_unix ? bind_local() : bind_tcp();
      if (!error) {
        owner.log.debug(fmt::format("listening on {}", owner.note_bound(*this)));
        return accept();
      }
      if (error != told)
        owner.log.warning(fmt::format("cannot listen on {}: {}; trying on", to_string(endpoint), error.message()));
      told = error;
      after(kRetryBind, [this] { try_bind(); });
    }

    template <typename F>
    void after(std::chrono::milliseconds delay, F f) {
      timer.expires_after(delay);
      timer.async_wait([f](error_code error) {
        if (!error) f();
      });
    }

    error_code bind_tcp() {
      error_code error;
      asio::ip::tcp::resolver resolver(owner.shared.context);
      auto flags = asio::ip::tcp::resolver::passive | asio::ip::tcp::resolver::address_configured;
      std::string host = endpoint.host == "localhost" ? "127.0.0.1" : endpoint.host;
      auto found = host.empty() ? resolver.resolve("0.0.0.0", std::to_string(endpoint.port), error)
                                : resolver.resolve(host, std::to_string(endpoint.port), flags, error);
      if (error) return error;
      return bind(tcp, found.begin()->endpoint());
    }

    error_code bind_local() {
      remove_stale_socket(owner.shared.context, endpoint.path);
      error_code error = bind(local, asio::local::stream_protocol::endpoint(endpoint.path));
      bound_path = !error;
      if (bound_path) ::chmod(endpoint.path.c_str(), 0660);
      return error;
    }

    template <typename Acceptor, typename Address>
    error_code bind(Acceptor& acceptor, const Address& address) {
      error_code error;
      acceptor.open(address.protocol(), error);
      if (!error && !endpoint.is_unix) acceptor.set_option(asio::socket_base::reuse_address(true), error);
      if (!error) acceptor.bind(address, error);
      if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
      error_code ignored;
      if (error) acceptor.close(ignored);
      return error;
    }

    void accept() {
      auto taken = [this](error_code error, auto socket) {
        if (error == asio::error::operation_aborted) return;
        if (error == asio::error::no_descriptors)
          owner.refuse_one(endpoint.is_unix ? local.native_handle() : tcp.native_handle());
        if (error) return after(kAcceptPause, [this] { accept(); });
        owner.take(std::move(socket), http);
        accept();
      };
      if (endpoint.is_unix)
        local.async_accept(taken);
      else
        tcp.async_accept(taken);
    }

    void close() {
      error_code ignored;
      timer.cancel();
      tcp.close(ignored);
      local.close(ignored);
    }

    Impl& owner;
    const Endpoint endpoint;
    const bool http;
    asio::ip::tcp::acceptor tcp;
    asio::local::stream_protocol::acceptor local;
    asio::steady_timer timer;
    error_code told;
    bool bound_path = false;
  };

  template <typename Socket>
  void take(Socket socket, bool http) {
    if (shared.connections >= shared.limits.connections) {
      shared.connections_refused++;
      return;
    }
    if constexpr (std::is_same_v<Socket, asio::ip::tcp::socket>) {
      error_code ignored;
      socket.set_option(asio::ip::tcp::no_delay(true), ignored);
      if (http) return run_http_session(shared, std::move(socket));
    }
    auto stream = std::make_shared<Stream>(*this, ++last_stream, StreamSocket(std::move(socket)));
    streams[stream->id] = stream;
    stream->read();
  }

  // All file descriptors are in use: gives up the spare one to close a connection that would else hang unanswered.
  void refuse_one(int acceptor) {
    spare.reset();
    UniqueFd refused(::accept4(acceptor, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (refused) shared.connections_refused++;
    refused.reset();
    spare = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  }

  std::string note_bound(const Listener& listener) {
    Endpoint real = listener.endpoint;
    if (!real.is_unix) real.port = listener.tcp.local_endpoint().port();
    std::lock_guard lock(mutex);
    bound.push_back(to_string(real));
    return bound.back();
  }

  Log& log;
  NetworkShared shared;
  std::vector<std::unique_ptr<Listener>> listeners;
  std::map<uint64_t, std::shared_ptr<Stream>> streams;
  uint64_t last_stream = 0;
  UniqueFd spare{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  std::thread thread;
  mutable std::mutex mutex;
  std::vector<std::string> bound;
};

Network::Network(NetworkHandlers handlers, Log& log, NetworkLimits limits) : impl_(std::make_unique<Impl>(log)) {
  impl_->shared.handlers = std::move(handlers);
  impl_->shared.limits = limits;
}

// Whatever stop() could throw here, out of memory, may end the process.
Network::~Network() { stop(); }  // NOLINT(bugprone-exception-escape)

void Network::listen_http(const Endpoint& endpoint) {
  impl_->listeners.push_back(std::make_unique<Impl::Listener>(*impl_, endpoint, true));
}
void Network::listen_stream(const Endpoint& endpoint) {
  impl_->listeners.push_back(std::make_unique<Impl::Listener>(*impl_, endpoint, false));
}

void Network::start() {
  for (auto& listener : impl_->listeners) listener->try_bind();
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  impl_->thread = std::thread([this] {
    auto guard = asio::make_work_guard(impl_->shared.context);
    impl_->shared.context.run();
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Network::stop_accepting() {
  asio::post(impl_->shared.context, [this] {
    for (auto& listener : impl_->listeners) listener->close();
  });
}

void Network::stop() {
  if (!impl_->thread.joinable()) return;
  stop_accepting();
  auto deadline = std::chrono::steady_clock::now() + kLastAnswers;
  while (impl_->shared.answers_to_write > 0 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  // Behind whatever was posted before: the last answers have been given to the kernel.
  asio::post(impl_->shared.context, [this] { impl_->shared.context.stop(); });
  impl_->thread.join();
  impl_->streams.clear();
  impl_->listeners.clear();
}

void Network::resume(uint64_t connection) {
  asio::post(impl_->shared.context, [this, connection] {
    auto it = impl_->streams.find(connection);
    if (it != impl_->streams.end()) it->second->read();
  });
}

std::vector<std::string> Network::bound() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->bound;
}

NetworkCounts Network::counts() const {
  const NetworkShared& s = impl_->shared;
  return {s.connections, s.connections_refused, s.requests, s.body_bytes};
}

}  // namespace limpet
