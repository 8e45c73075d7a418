#include "shardway/testing/fault_proxy.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/testing/proxied_connection.hpp"
#include "lib/testing/server_state.hpp"

namespace shardway {
inline namespace v0 {
namespace testing {

namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int listen_on(std::uint16_t port) {
  int const fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  int const yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  auto const address = loopback(port);
  if (::bind(fd, reinterpret_cast<sockaddr const*>(&address), sizeof address) == 0 && ::listen(fd, 128) == 0)
    return fd;
  ::close(fd);
  return -1;
}

// On loopback a connect succeeds or fails at once.
int connect_to(std::uint16_t port) {
  int const fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  auto const address = loopback(port);
  int const yes = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (::connect(fd, reinterpret_cast<sockaddr const*>(&address), sizeof address) == 0) return fd;
  ::close(fd);
  return -1;
}

}  // namespace

class fault_proxy::engine {
 public:
  engine(reserved_port own, std::uint16_t server_port, int listener)
      : port(std::move(own)),
        server_port_(server_port),
        listener_(listener),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        thread_([this](std::stop_token stop) { run(stop); }) {}

  ~engine() {
    thread_.request_stop();
    wake();
    thread_.join();
    if (listener_ >= 0) ::close(listener_);
    ::close(wake_);
  }

  /// Changes the state between two rounds of forwarding.
  void change(auto const& what) {
    {
      std::scoped_lock const lock(guard_);
      what();
    }
    wake();
  }

  auto ask(auto const& what) const {
    std::scoped_lock const lock(guard_);
    return what();
  }

  bool wait_for_trips(unsigned count, std::chrono::milliseconds timeout) {
    std::unique_lock lock(guard_);
    return tripped_.wait_for(lock, timeout, [&] { return settings.trips >= count; });
  }

  bool set_listening(bool listening) {
    std::scoped_lock const lock(guard_);
    if (listening == (listener_ >= 0)) return true;
    if (!listening)
      ::close(std::exchange(listener_, -1));
    else
      listener_ = listen_on(port.number());
    wake();
    return !listening || listener_ >= 0;
  }

  reserved_port port;
  proxy_settings settings;
  std::uint64_t armed_count = 0;
  std::vector<std::unique_ptr<proxied_connection>> connections;

 private:
  void wake() const {
    std::uint64_t const one = 1;
    [[maybe_unused]] auto const ignored = ::write(wake_, &one, sizeof one);
  }

  void run(std::stop_token const& stop) {
    while (!stop.stop_requested()) {
      auto [polls, timeout] = what_to_wait_for();
      ::poll(polls.data(), polls.size(), timeout);
      std::uint64_t ignored = 0;
      [[maybe_unused]] auto const count = ::read(wake_, &ignored, sizeof ignored);
      forward();
    }
  }

  std::pair<std::vector<pollfd>, int> what_to_wait_for() const {
    std::scoped_lock const lock(guard_);
    auto const now = proxy_clock::now();
    std::vector<pollfd> polls{{wake_, POLLIN, 0}};
    if (listener_ >= 0) polls.push_back({listener_, POLLIN, 0});
    int timeout = -1;
    for (auto const& connection : connections) {
      connection->add_polls(polls, settings, now);
      auto const due = connection->next_due();
      if (!due || *due <= now) continue;
      int const wait = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(*due - now).count());
      timeout = timeout < 0 ? wait : std::min(timeout, wait);
    }
    return {std::move(polls), timeout};
  }

  void forward() {
    std::scoped_lock const lock(guard_);
    take_new();
    auto const trips_before = settings.trips;
    auto const now = proxy_clock::now();
    for (auto& connection : connections) connection->work(settings, now);
    std::erase_if(connections, [](auto const& connection) { return connection->is_over(); });
    if (settings.trips != trips_before) tripped_.notify_all();
  }

  void take_new() {
    while (listener_ >= 0) {
      int const client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) return;
      int const yes = 1;
      ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
      int const server = connect_to(server_port_);
      if (server < 0)
        ::close(client);
      else
        connections.push_back(std::make_unique<proxied_connection>(client, server));
    }
  }

  std::uint16_t server_port_;
  int listener_;
  int wake_;
  mutable std::mutex guard_;
  std::condition_variable tripped_;
  std::jthread thread_;  // last: it uses all the others
};

fault_proxy::fault_proxy(std::unique_ptr<engine> fresh) : engine_(std::move(fresh)) {}
fault_proxy::~fault_proxy() = default;

result<std::unique_ptr<fault_proxy>> fault_proxy::open(std::uint16_t server_port) {
  BOOST_OUTCOME_TRY(auto port, reserved_port::take());
  int const listener = listen_on(port.number());
  if (listener < 0) return error{error_code::precondition_failed, "the fault proxy can't listen on its port"};
  return std::unique_ptr<fault_proxy>(
      new fault_proxy(std::make_unique<engine>(std::move(port), server_port, listener)));
}

std::uint16_t fault_proxy::port() const noexcept { return engine_->port.number(); }

std::string fault_proxy::conninfo(std::string_view database, std::string_view user) const {
  return "host=127.0.0.1 port=" + std::to_string(port()) + " dbname=" + std::string(database) +
         " user=" + std::string(user) + " connect_timeout=10 sslmode=disable gssencmode=disable";
}

result<void> fault_proxy::arm(proxy_rule rule) {
  if (rule.after_bytes.has_value() == (rule.message != 0))
    return error{error_code::invalid_argument, "proxy_rule: set exactly one of after_bytes and message"};
  if (rule.nth == 0) return error{error_code::invalid_argument, "proxy_rule: nth counts from 1"};
  engine_->change([&] {
    engine_->settings.armed = armed_rule{.rule = std::move(rule), .number = ++engine_->armed_count};
  });
  return success();
}

void fault_proxy::disarm() {
  engine_->change([&] { engine_->settings.armed.reset(); });
}

void fault_proxy::set_delay(std::chrono::milliseconds delay) {
  engine_->change([&] { engine_->settings.delay = delay; });
}

result<void> fault_proxy::set_refusing(bool refusing) {
  if (engine_->set_listening(!refusing)) return success();
  return error{error_code::precondition_failed, "the fault proxy can't listen on its port again"};
}

void fault_proxy::stall() {
  engine_->change([&] { engine_->settings.is_stalled = true; });
}

void fault_proxy::resume() {
  engine_->change([&] {
    engine_->settings.is_stalled = false;
    for (auto& connection : engine_->connections) connection->resume();
  });
}

void fault_proxy::cut_all() {
  engine_->change([&] {
    for (auto& connection : engine_->connections) connection->cut();
    engine_->connections.clear();
  });
}

std::size_t fault_proxy::open_connections() const {
  return engine_->ask([&] { return engine_->connections.size(); });
}

unsigned fault_proxy::trips() const {
  return engine_->ask([&] { return engine_->settings.trips; });
}

result<void> fault_proxy::wait_for_trips(unsigned count, std::chrono::milliseconds timeout) {
  if (engine_->wait_for_trips(count, timeout)) return success();
  return error{error_code::deadline_exceeded, "no rule of the fault proxy tripped",
               "was it armed before the traffic?"};
}

}  // namespace testing
}  // namespace v0
}  // namespace shardway
