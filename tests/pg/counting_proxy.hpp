// A TCP proxy in front of one server that counts round trips: how often a client sends after it got an
// answer. Connections that never carried a certain text, such as those of the background, are not counted.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace shardway_test {

/// Thread safety: the counts may be read at any time. Lifetime: destroying it cuts its connections.
class counting_proxy {
 public:
  counting_proxy(std::uint16_t server_port, std::string text)
      : server_port_(server_port),
        text_(std::move(text)),
        listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    auto at = loopback(0);
    socklen_t size = sizeof at;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&at), size) != 0 || ::listen(listener_, 16) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size) != 0)
      throw std::runtime_error("the counting proxy got no port");
    port_ = ntohs(at.sin_port);
    thread_ = std::jthread([this](std::stop_token stop) { work(stop); });
  }
  ~counting_proxy() {
    thread_.request_stop();
    thread_.join();
    for (auto const& one : links_) ::close(one.client), ::close(one.server);
    ::close(listener_);
  }
  counting_proxy(counting_proxy const&) = delete;
  counting_proxy& operator=(counting_proxy const&) = delete;

  std::string conninfo(std::string const& database) const {
    return "host=127.0.0.1 port=" + std::to_string(port_) + " dbname=" + database +
           " user=postgres sslmode=disable gssencmode=disable";
  }
  /// Of the connections that have carried the text, from then on.
  std::uint64_t round_trips() const noexcept { return round_trips_; }

 private:
  struct link {
    int client{};
    int server{};
    bool was_answered{true};
    bool is_open{true};
    bool is_counted{};
  };

  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin_port = htons(port);
    return at;
  }

  void take() {
    auto const client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    auto const server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto const at = loopback(server_port_);
    int const on = 1;
    for (int one : {client, server}) ::setsockopt(one, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(server, reinterpret_cast<sockaddr const*>(&at), sizeof at) != 0) {
      ::close(client), ::close(server);
      return;
    }
    links_.push_back({client, server});
  }

  bool forward(int from, int to, bool* carries) {
    char room[65536];
    auto const got = ::recv(from, room, sizeof room, 0);
    if (carries && got > 0 &&
        std::string_view(room, static_cast<std::size_t>(got)).find(text_) != std::string_view::npos)
      *carries = true;
    for (ssize_t sent = 0; sent < got;) {
      auto const went = ::send(to, room + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
      if (went <= 0) return false;
      sent += went;
    }
    return got > 0;
  }

  void pass(link& one, short of_client, short of_server) {
    if (of_server != 0) {
      one.was_answered = true;
      one.is_open = forward(one.server, one.client, nullptr);
    }
    if (of_client != 0 && one.is_open) {
      one.is_open = forward(one.client, one.server, &one.is_counted);
      if (one.was_answered && one.is_counted) ++round_trips_;
      one.was_answered = false;
    }
    if (!one.is_open)
      for (int end : {one.client, one.server}) ::shutdown(end, SHUT_RDWR);
  }

  void work(std::stop_token const& stop) {
    while (!stop.stop_requested()) {
      std::vector<pollfd> all{{listener_, POLLIN, 0}};
      for (auto const& one : links_) {
        all.push_back({one.is_open ? one.client : -1, POLLIN, 0});
        all.push_back({one.is_open ? one.server : -1, POLLIN, 0});
      }
      if (::poll(all.data(), all.size(), 20) <= 0) continue;
      std::size_t at = 1;
      for (auto& one : links_) {
        pass(one, all[at].revents, all[at + 1].revents);
        at += 2;
      }
      if (all[0].revents != 0) take();
    }
  }

  std::uint16_t server_port_;
  std::string text_;
  std::uint16_t port_{};
  int listener_;
  std::list<link> links_;
  std::atomic<std::uint64_t> round_trips_{};
  std::jthread thread_;
};

}  // namespace shardway_test
