// Clients that call again as soon as they have an answer, and the plain libpq connection to compare with.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <libpq-fe.h>

#include "support/pairs.hpp"

namespace shardway_bench {

/// Ends the program with a message. A benchmark whose calls fail measures nothing.
[[noreturn]] void give_up(std::string const& why);
template <class Result>
auto must(Result&& given) {
  if (!given) give_up(given.error().to_string());
  if constexpr (!std::is_void_v<typename std::remove_cvref_t<Result>::value_type>)
    return std::forward<Result>(given).value();
}

using operation = std::function<void(std::size_t client, std::size_t call)>;
/// Each client is a thread that makes `calls` calls, one after the other. Latencies are in microseconds.
/// `cpu` is the user and system time of the calling threads, in microseconds per call. It includes what libpq
/// and the kernel do for them, and leaves out the library's background threads.
figures load(std::size_t clients, std::size_t calls, operation const& one);

/// A libpq connection, used as a careful program would: it prepares a statement once and then sends its name.
class bare_connection {
 public:
  explicit bare_connection(std::string const& conninfo);
  void prepare(std::string const& name, std::string const& sql);
  /// With text parameters. It reads the rows, because the library does so too.
  void run(char const* name, std::vector<char const*> const& parameters);

  /// The server parses the statement each time. PgBouncer 1.18 allows only this in transaction mode.
  void run_text(char const* sql, std::vector<char const*> const& parameters);

 private:
  void check(PGresult* answer, char const* what);
  std::unique_ptr<PGconn, void (*)(PGconn*)> link_;
};

std::vector<bare_connection> bare_connections(std::size_t count, std::string const& conninfo,
                                              std::string const& name = {}, std::string const& sql = {});

/// How often this thread has sent something and then waited for an answer.
std::size_t round_trips() noexcept;

}  // namespace shardway_bench
