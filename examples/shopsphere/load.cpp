// The shop's load: clients that read and write at a set rate while the tables move beneath them, and write
// down what they saw.
//
//   load --source CONNINFO --log FOLDER [--plain] [--replica CONNINFO] [--threads 8] [--rate 200] [--seconds
//   N] [--seed 1] [--scale 1]
//        [--first-op 1]
//
// Reads commands from standard input: `phase NAME` labels what follows, `stop` ends. Prints one JSON line
// twice a second and one at the end.
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <libpq-fe.h>
#include <poll.h>
#include <unistd.h>

#include "history.hpp"
#include "shop.hpp"
#include "worker.hpp"

namespace {

using namespace shopsphere;

std::atomic<bool> stop_asked{false};

struct load_options {
  std::string source, replica, log;
  bool plain = false;
  unsigned threads = 8;
  double rate = 200, seconds = 0, scale = 1;
  std::uint64_t seed = 1;
  std::int64_t first_op = 1;
};

bool parse(int count, char** words, load_options& out) {
  for (int i = 1; i < count; ++i) {
    std::string_view const name = words[i];
    if (name == "--plain") {
      out.plain = true;
      continue;
    }
    if (++i == count) return false;
    char const* const given = words[i];
    if (name == "--source")
      out.source = given;
    else if (name == "--replica")
      out.replica = given;
    else if (name == "--log")
      out.log = given;
    else if (name == "--threads")
      out.threads = static_cast<unsigned>(std::atoi(given));
    else if (name == "--rate")
      out.rate = std::atof(given);
    else if (name == "--seconds")
      out.seconds = std::atof(given);
    else if (name == "--scale")
      out.scale = std::atof(given);
    else if (name == "--seed")
      out.seed = std::strtoull(given, nullptr, 10);
    else if (name == "--first-op")
      out.first_op = std::atoll(given);
    else
      return false;
  }
  return !out.source.empty() && !out.log.empty() && out.threads > 0 && out.rate > 0 && out.scale > 0;
}

// Whether the replica is behind, asked of the replica itself. Apart from the library, which is what is being
// tested.
void watch_replica(std::string const& conninfo, std::atomic<bool>& lags) {
  PGconn* const connection = PQconnectdb(conninfo.c_str());
  while (!stop_asked) {
    PGresult* const answer =
        PQexec(connection, "SELECT pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()");
    lags = PQresultStatus(answer) == PGRES_TUPLES_OK && std::strcmp(PQgetvalue(answer, 0, 0), "t") == 0;
    PQclear(answer);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  PQfinish(connection);
}

void obey(std::string& pending, phase_label& phase) {
  char bytes[256];
  auto const got = ::read(STDIN_FILENO, bytes, sizeof bytes);
  if (got <= 0) {
    stop_asked = true;  // whoever drives us is gone
    return;
  }
  pending.append(bytes, static_cast<std::size_t>(got));
  for (auto end = pending.find('\n'); end != std::string::npos; end = pending.find('\n')) {
    auto const line = pending.substr(0, end);
    pending.erase(0, end + 1);
    if (line.starts_with("phase ")) phase.set(line.substr(6));
    if (line == "stop") stop_asked = true;
  }
}

std::string status(tally const& counts, phase_label const& phase, bool last) {
  auto const writes = counts.writes_ok + counts.writes_failed + counts.in_doubt;
  json_object line;
  line.flag("summary", last)
      .text("phase", phase.get())
      .number("at_us", now_us())
      .number("writes_ok", counts.writes_ok);
  line.number("writes_failed", counts.writes_failed)
      .number("in_doubt", counts.in_doubt)
      .number("reads", counts.reads);
  line.number("replica_reads", counts.replica_reads).number("lagging_replica_reads", counts.lagging_reads);
  line.number("violations", counts.violations)
      .number("dual_writes_applied", counts.applied)
      .number("dual_writes_pending", counts.pending);
  line.number("dual_writes_refused", counts.refused)
      .number("stalled_writes", counts.stalled)
      .number("stall_us_max", counts.stall_us_max);
  line.number("latency_us_mean", writes > 0 ? counts.latency_us_sum / writes : 0)
      .number("behind_us_max", counts.behind_us_max);
  return line.finish();
}

void conduct(load_options const& options, tally const& counts, phase_label& phase) {
  auto const ends = options.seconds > 0 ? now_us() + static_cast<std::int64_t>(options.seconds * 1e6) : 0;
  bool const listens = options.seconds <= 0;
  std::string pending;
  auto printed = now_us();
  while (!stop_asked) {
    pollfd wanted{.fd = listens ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0};
    if (::poll(&wanted, 1, 50) > 0) obey(pending, phase);
    if (ends != 0 && now_us() > ends) stop_asked = true;
    if (now_us() - printed < 500'000) continue;
    printed = now_us();
    std::puts(status(counts, phase, false).c_str());
    std::fflush(stdout);
  }
}

int play(load_options const& options, shop& database) {
  phase_label phase;
  tally counts;
  std::atomic<bool> lags{false};
  std::vector<std::unique_ptr<history>> logs;
  for (unsigned i = 0; i < options.threads; ++i) {
    logs.push_back(history::open(options.log, i));
    if (!logs.back()) return 1;
  }
  std::vector<std::jthread> threads;
  if (!options.replica.empty()) threads.emplace_back([&] { watch_replica(options.replica, lags); });
  for (unsigned i = 0; i < options.threads; ++i) {
    worker_options const own{.thread = i,
                             .threads = options.threads,
                             .seed = options.seed,
                             .first_op = options.first_op,
                             .rate = options.rate / options.threads,
                             .customers = static_cast<std::int64_t>(40000 * options.scale),
                             .skus = static_cast<std::int64_t>(10000 * options.scale),
                             .documents = static_cast<std::int64_t>(5000 * options.scale)};
    threads.emplace_back(
        [&, own] { worker(own, {database, phase, counts, stop_asked, lags}, *logs[own.thread]).run(); });
  }
  conduct(options, counts, phase);
  threads.clear();
  std::puts(status(counts, phase, true).c_str());
  return 0;
}

}  // namespace

int main(int count, char** words) {
  load_options options;
  if (!parse(count, words, options)) {
    std::fprintf(stderr,
                 "usage: load --source CONNINFO --log FOLDER [--plain] [--replica CONNINFO] [--threads N] "
                 "[--rate N] [--seconds N]\n"
                 "            [--seed N] [--scale N] [--first-op N]\n");
    return 2;
  }
  struct sigaction on_end{};
  on_end.sa_handler = [](int) { stop_asked = true; };
  ::sigaction(SIGTERM, &on_end, nullptr);
  ::sigaction(SIGINT, &on_end, nullptr);
  auto const database = options.plain ? open_plain(options.source, options.replica)
                                      : open_with_library(options.source, options.threads + 2);
  return database ? play(options, *database) : 1;
}
