// Calls that return at once with a future. Apart from client.hpp, for <future> is dear to compile.
#pragma once

#include <future>
#include <string>
#include <vector>

#include "shardway/client/client.hpp"

namespace shardway {
inline namespace v0 {

/// A write that committed, and a token that covers it: give it to `client_session::adopt` where its rows are
/// to be read.
struct async_receipt {
  write_receipt receipt;
  std::string token;
};

/// A read's answer, and a token that covers what it has seen.
struct async_answer {
  read_answer answer;
  std::string token;
};

/// One statement on its way: what `client_session::execute` and `read` take, and owned, since the caller goes
/// on.
struct async_call {
  std::string table;
  shard_key key;
  std::string sql;
  std::vector<text_value> parameters{};
  std::string token{};  ///< of an earlier session; read-your-writes counts from it. May be empty
};

/// `client_session::execute` in a thread of the client's, in a session of its own. Calls run in no particular
/// order: what must come after another waits for its future.
///
/// The future always gets a value; nothing throws through it. Waiting for it is not needed: a future may be
/// dropped, and the call goes on. Errors: of `execute`; `cancelled` (the client was closed before the call
/// began); `deadline_exceeded` (`client_options::async_queue_max` calls wait already: nothing was sent).
/// Thread safety: shared use of the client is safe. Lifetime: the client may go; what has begun ends first.
/// Cost: never waits. At most `connections_max` calls run at a time.
std::future<result<async_receipt>> async_execute(client const& with, async_call call,
                                                 write_options options = {});

/// The same for `client_session::read`.
std::future<result<async_answer>> async_read(client const& with, async_call call, read_options options = {});

}  // namespace v0
}  // namespace shardway
