// Clients that call as fast as they are answered, and the bare libpq connection they are held against.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <libpq-fe.h>

#include "support/pairs.hpp"

namespace shardway_bench {

/// Ends the program with a message: a benchmark whose calls fail measures nothing.
[[noreturn]] void give_up(std::string const& why);
template <class Result>
auto must(Result&& given) {
  if (!given) give_up(given.error().to_string());
  if constexpr (!std::is_void_v<typename std::remove_cvref_t<Result>::value_type>)
    return std::forward<Result>(given).value();
}

using operation = std::function<void(std::size_t client, std::size_t call)>;
/// Each client is a thread that makes `calls` calls, one after the other. Latencies in us; `cpu` is the
/// calling threads' user and system time in us a call, what libpq and the kernel do for them included; the
/// library's background threads are not in it.
figures load(std::size_t clients, std::size_t calls, operation const& one);

/// A libpq connection as a careful program would use it: statements prepared once, then sent by name.
class bare_connection {
 public:
  explicit bare_connection(std::string const& conninfo);
  void prepare(std::string const& name, std::string const& sql);
  /// Text parameters. The rows are looked at, so that both sides do.
  void run(char const* name, std::vector<char const*> const& parameters);
  /// Parsed each time (what PgBouncer 1.18 allows in transaction mode).
  void run_text(char const* sql, std::vector<char const*> const& parameters);

 private:
  void look_at(PGresult* answer, char const* what);
  std::unique_ptr<PGconn, void (*)(PGconn*)> link_;
};

std::vector<bare_connection> bare_connections(std::size_t count, std::string const& conninfo,
                                              std::string const& name = {}, std::string const& sql = {});

/// How often this thread has waited for an answer after it had sent something.
std::size_t round_trips() noexcept;

}  // namespace shardway_bench
