#include "macro/load.hpp"

#include <algorithm>
#include <barrier>
#include <cstdlib>
#include <thread>

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

thread_local bool has_sent = false;
thread_local std::size_t trips = 0;

}  // namespace

// libpq's system calls pass through here, so that round trips are counted where they happen.
extern "C" ssize_t send(int socket, void const* bytes, size_t count, int flags) {
  has_sent = true;
  return syscall(SYS_sendto, socket, bytes, count, flags, nullptr, 0);
}
extern "C" ssize_t recv(int socket, void* bytes, size_t count, int flags) {
  auto const got = syscall(SYS_recvfrom, socket, bytes, count, flags, nullptr, nullptr);
  if (got > 0 && has_sent) {
    ++trips;
    has_sent = false;
  }
  return got;
}

namespace shardway_bench {

std::size_t round_trips() noexcept { return trips; }

void give_up(std::string const& why) {
  std::fprintf(stderr, "bench: %s\n", why.c_str());
  std::fflush(nullptr);
  std::exit(1);
}

namespace {

struct client_result {
  std::vector<double> latencies;
  double cpu{};
};

client_result call_in_turn(std::size_t client, std::size_t calls, operation const& one) {
  client_result made;
  made.latencies.reserve(calls);
  auto const cpu_before = thread_cpu();
  for (std::size_t i = 0; i < calls; ++i) {
    auto const begun = std::chrono::steady_clock::now();
    one(client, i);
    made.latencies.push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begun).count());
  }
  made.cpu = (thread_cpu() - cpu_before) / 1000;
  return made;
}

}  // namespace

figures load(std::size_t clients, std::size_t calls, operation const& one) {
  std::vector<client_result> all(clients);
  std::vector<std::thread> running;
  std::barrier<> start{static_cast<std::ptrdiff_t>(clients) + 1};
  for (std::size_t client = 0; client < clients; ++client)
    running.emplace_back([&, client] {
      start.arrive_and_wait();
      all[client] = call_in_turn(client, calls, one);
    });
  start.arrive_and_wait();
  auto const begun = std::chrono::steady_clock::now();
  for (auto& thread : running) thread.join();
  auto const took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  figures made;
  std::vector<double> latencies;
  for (auto const& one_client : all) {
    latencies.insert(latencies.end(), one_client.latencies.begin(), one_client.latencies.end());
    made.cpu += one_client.cpu;
  }
  std::sort(latencies.begin(), latencies.end());
  auto const total = static_cast<double>(latencies.size());
  made.p50 = latencies[latencies.size() / 2];
  made.p99 = latencies[latencies.size() - 1 - latencies.size() / 100];
  made.cpu /= total;
  made.per_second = total / took;
  made.per_operation = took / total;
  return made;
}

bare_connection::bare_connection(std::string const& conninfo)
    : link_(PQconnectdb(conninfo.c_str()), &PQfinish) {
  if (PQstatus(link_.get()) != CONNECTION_OK) give_up(PQerrorMessage(link_.get()));
}

void bare_connection::look_at(PGresult* answer, char const* what) {
  std::unique_ptr<PGresult, void (*)(PGresult*)> const owned{answer, &PQclear};
  auto const status = PQresultStatus(answer);
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
    give_up(std::string(what) + ": " + PQresultErrorMessage(answer));
  std::size_t bytes = 0;
  for (int row = 0; row < PQntuples(answer); ++row)
    for (int column = 0; column < PQnfields(answer); ++column)
      bytes += static_cast<std::size_t>(PQgetlength(answer, row, column));
  benchmark::DoNotOptimize(bytes);
}

void bare_connection::prepare(std::string const& name, std::string const& sql) {
  look_at(PQprepare(link_.get(), name.c_str(), sql.c_str(), 0, nullptr), sql.c_str());
}

void bare_connection::run(char const* name, std::vector<char const*> const& parameters) {
  look_at(PQexecPrepared(link_.get(), name, static_cast<int>(parameters.size()), parameters.data(), nullptr,
                         nullptr, 0),
          name);
}

void bare_connection::run_text(char const* sql, std::vector<char const*> const& parameters) {
  look_at(PQexecParams(link_.get(), sql, static_cast<int>(parameters.size()), nullptr, parameters.data(),
                       nullptr, nullptr, 0),
          sql);
}

std::vector<bare_connection> bare_connections(std::size_t count, std::string const& conninfo,
                                              std::string const& name, std::string const& sql) {
  std::vector<bare_connection> made;
  for (std::size_t i = 0; i < count; ++i) {
    made.emplace_back(conninfo);
    if (!name.empty()) made.back().prepare(name, sql);
  }
  return made;
}

}  // namespace shardway_bench
