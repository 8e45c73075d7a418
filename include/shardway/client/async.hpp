// Calls that return at once with a future. They are apart from client.hpp because <future> is slow to
// compile.
#pragma once

#include <future>
#include <string>
#include <vector>

#include "shardway/client/client.hpp"

namespace shardway {
inline namespace v0 {

/// A write that committed, and a token that covers it. Give the token to `client_session::adopt` where the
/// rows are to be read.
struct async_receipt {
  write_receipt receipt;
  std::string token;
};

/// The answer of a read, and a token that covers what it has seen.
struct async_answer {
  read_answer answer;
  std::string token;
};

/// What `client_session::execute` and `read` take. The call owns it, because the caller goes on.
struct async_call {
  std::string table;
  shard_key key;
  std::string sql;
  std::vector<text_value> parameters{};

  /// The token of an earlier session: read-your-writes starts from it. May be empty.
  std::string token{};
};

/// Runs `client_session::execute` in a thread of the client's, in a session of its own. Calls run in no
/// particular order: to run one after another, wait for the first one's future.
///
/// @code
/// auto pending = async_execute(client, {.table = "shop.orders", .key = key, .sql = sql});
/// auto done = pending.get();
/// if (done) session.adopt(done.value().token);
/// @endcode
///
/// The future always gets a value, and nothing throws through it. A future may be dropped: the call goes on.
///
/// Errors: those of `execute`; `cancelled` if the client was closed before the call began;
/// `deadline_exceeded` if `client_options::async_queue_max` calls wait already. Then nothing was sent. Thread
/// safety: shared use of the client is safe. Lifetime: the client may be destroyed first; a call that has
/// begun ends before it goes. Cost: the call never waits. At most `connections_max` calls run at a time.
std::future<result<async_receipt>> async_execute(client const& owner, async_call call,
                                                 write_options options = {});

/// Does the same for `client_session::read`.
std::future<result<async_answer>> async_read(client const& owner, async_call call, read_options options = {});

}  // namespace v0
}  // namespace shardway
