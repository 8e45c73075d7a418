// What an application holds: a client, and a session for each user or request. The calls are the same in
// every stage of a migration.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shardway/client/client_health.hpp"
#include "shardway/client/id_source.hpp"
#include "shardway/client/lookup_answer.hpp"
#include "shardway/observe/call_report.hpp"
#include "shardway/observe/events.hpp"
#include "shardway/observe/metrics.hpp"
#include "shardway/pg/connect.hpp"
#include "shardway/read/read_options.hpp"
#include "shardway/read/scatter_options.hpp"
#include "shardway/route/router.hpp"
#include "shardway/write/batch.hpp"
#include "shardway/write/receipt.hpp"
#include "shardway/write/row_statement.hpp"
#include "shardway/write/write_options.hpp"
#include "shardway/write/write_transaction.hpp"

namespace shardway {
inline namespace v0 {

struct client_state;
struct session_state;

/// How a client reaches the nodes, how much it may use, and whom it reports to.
///
/// @code
/// client_options options;
/// options.source.conninfo = "host=db.example dbname=shop user=shop_app";
/// options.application = "checkout";
/// auto opened = client::open(std::move(options));
/// @endcode
struct client_options {
  /// The source. It holds the catalog.
  connect_options source;

  /// Other nodes by name. An entry overrides the address that the generation gives, for a tunnel or a
  /// password provider. These nodes are asked for the generation while the source is down (K1). Empty: the
  /// generation's names and addresses, and the source's password provider.
  std::vector<connect_options> nodes{};

  /// The application_name of every connection, and the name in the client registry.
  std::string application{"application"};

  /// > 0. The most connections to each node.
  std::size_t connections_max{8};

  /// <= connections_max. The background thread keeps as many connections open to each node that has been
  /// used.
  std::size_t connections_min{};

  /// > 0. For connections to nodes that `nodes` does not name.
  std::chrono::milliseconds connect_timeout{2000};

  /// > 0. The time between two polls for a newer generation.
  std::chrono::milliseconds generation_interval{200};

  /// Opens one more connection to the source, on which a new generation is announced at once. Polling goes on
  /// beside it.
  bool listen{true};

  /// > 0. The time between two polls of the replicas' positions. Nodes without replicas are not polled.
  std::chrono::milliseconds replica_interval{20};

  /// >= 0. How long a call waits for authority to be stable, counted from its first refusal. It should cover
  /// the stall of a wave, so choose it longer than the wave's own stall budget.
  std::chrono::milliseconds stall_budget{5000};

  /// > 0. How long to look for the outcome of a COMMIT whose answer was lost.
  std::chrono::milliseconds resolve_deadline{5000};

  /// > 0. The most rows that wait for one shard in the background. Further dual writes are left to the
  /// stream.
  std::size_t queue_rows_max{10000};

  /// > 0. The most threads for reads of several nodes. They start when first needed; the caller's thread
  /// works too.
  std::size_t read_threads_max{16};

  /// The most calls of client/async.hpp that may wait for one of `connections_max` threads.
  std::size_t async_queue_max{1000};

  /// Receives events. May be empty.
  std::shared_ptr<events> listener{};

  /// Receives measurements. May be empty.
  std::shared_ptr<metrics> meter{};

  /// Counts calls by table, call site and shape, for `client::report` and `shardway observe`.
  bool observe{true};

  /// > 0. The time between two uploads of that report. The background thread uploads it if it has changed.
  std::chrono::milliseconds report_interval{5000};

  /// Sends calls on tables that no manifest names to the source as they are, in every stage, and counts them.
  /// False: such calls fail with `unknown_table`.
  bool observe_unknown_tables{false};
};

/// A user's or request's view of the client: it sees its own writes wherever it reads next.
///
/// @code
/// auto session = client.session();
/// auto done = session.execute("shop.orders", customer_id,
///                             "UPDATE shop.orders SET state = $1 WHERE customer_id = $2 AND id = $3",
///                             {"paid", "42", "7"});
/// auto answer = session.read("shop.orders", customer_id,
///                            "SELECT state FROM shop.orders WHERE customer_id = $1", {"42"});
/// @endcode
///
/// Thread safety: distinct objects: safe. Shared object: not safe.
/// Lifetime: keeps what it needs of the client alive; after `client::close` its calls fail with `cancelled`.
class client_session {
 public:
  client_session(client_session&&) noexcept;
  client_session& operator=(client_session&&) noexcept;
  ~client_session();

  /// Runs one INSERT, UPDATE or DELETE of rows with this shard key, in its own transaction, on the node that
  /// has authority.
  ///
  /// A refusal of the fence changes nothing: the call refreshes the generation, waits within `stall_budget`
  /// and tries again.
  ///
  /// A reference table has no shard key: give `{}`. While a group is observing, a call on any of its tables
  /// may give `{}` too. Such a call goes to the source and is counted as without a key, and its receipt's
  /// slot means nothing. From `copying` on it is an error.
  ///
  /// `where` and `write_options::call_site` name the call in reports and have no other effect.
  ///
  /// Errors:
  /// - those of SQLSTATE
  /// - `unknown_table`, `shard_key_missing`, `invalid_argument`
  /// - `statement_refused`: a dual write can't capture it
  /// - `shard_key_mismatch`
  /// - `stall_budget_spent`, `node_unreachable`: nothing was written
  /// - `in_doubt`: the message names the write id; the library never retries it
  ///
  /// Cost: one round trip while observing. Afterwards one round trip (a pipeline) to the authority, and while
  /// dual writing (sync) one more to the shard, without an fsync.
  result<write_receipt> execute(std::string_view table, shard_key const& key, std::string_view sql,
                                std::vector<text_value> parameters = {}, write_options const& options = {},
                                std::source_location where = std::source_location::current());

  /// Runs several statements in one transaction. `body` may run again as a whole (see `write_transaction`).
  /// An error that it returns rolls back and is returned.
  ///
  /// @code
  /// auto done = session.write("shop.orders", customer_id, [&](write_transaction& transaction) -> result<> {
  ///   BOOST_OUTCOME_TRYV(transaction.execute("shop.orders", insert_order, order));
  ///   BOOST_OUTCOME_TRYV(transaction.execute("shop.order_items", insert_item, item));
  ///   return success();
  /// });
  /// @endcode
  ///
  /// Errors and waits: as `execute`, and `serialization_failure` after `retries_max`. Cost: one round trip to
  /// begin, one for each statement, one to commit, and that of the dual write.
  result<write_receipt> write(std::string_view table, shard_key const& key,
                              std::function<result<>(write_transaction&)> const& body,
                              write_options const& options = {},
                              std::source_location where = std::source_location::current());

  /// Runs one INSERT, UPDATE or DELETE for many rows, each with its shard key and parameters.
  ///
  /// The rows are grouped by the node that has authority. Each node's rows are one transaction in one round
  /// trip, node after node. A row that fails rolls back the part of its node and no other. The receipt says
  /// what became of each part, also if a part failed. An error means that nothing was written.
  ///
  /// Errors: `invalid_argument` (more than `batch_rows_max` rows); `unknown_table`; `shard_key_missing`;
  /// `cross_shard` if `single_transaction` is set and several nodes have authority. Cost: one round trip for
  /// each node; while dual writing (sync) one more for each shard.
  result<batch_receipt> execute_batch(std::string_view table, std::string_view sql,
                                      std::span<batch_row const> rows, batch_options const& options = {});

  /// Writes one row that is given by its columns, values in PostgreSQL's text form. The shard key is taken
  /// from them.
  ///
  /// - `insert`: columns that are left out get their defaults.
  /// - `upsert`: as `insert`. If the primary key is taken, the other columns given are updated, never primary
  /// key
  ///   or shard key.
  /// - `update`: sets the columns beside the keys. `affected` is 0 if there is no such row.
  /// - `erase`: takes primary key and shard key alone.
  ///
  /// @code
  /// auto done = session.upsert("shop.orders", {{"id", "7"}, {"customer_id", "42"}, {"state", "paid"}});
  /// @endcode
  ///
  /// Errors: as `execute`; `shard_key_missing`, `invalid_argument` (see `make_row_statement`);
  /// `shard_key_mismatch` if `upsert` met a row with this primary key and another shard key, and changed
  /// nothing. Cost: as `execute`.
  result<write_receipt> insert(std::string_view table, row_values const& row,
                               write_options const& options = {},
                               std::source_location where = std::source_location::current());
  result<write_receipt> upsert(std::string_view table, row_values const& row,
                               write_options const& options = {},
                               std::source_location where = std::source_location::current());
  result<write_receipt> update(std::string_view table, row_values const& row,
                               write_options const& options = {},
                               std::source_location where = std::source_location::current());
  result<write_receipt> erase(std::string_view table, row_values const& row_key,
                              write_options const& options = {},
                              std::source_location where = std::source_location::current());

  /// Runs one SELECT of rows with this shard key, as fresh as the options ask. Only reads of
  /// `consistency::primary` and locking reads ask the fence, and wait for it as a write does.
  ///
  /// Errors: those of SQLSTATE; `unknown_table`, `shard_key_missing`; `statement_refused` for anything that
  /// writes; `node_unreachable`. Cost: one round trip if a replica is far enough.
  result<read_answer> read(std::string_view table, shard_key const& key, std::string_view sql,
                           std::vector<text_value> parameters = {}, read_options const& options = {},
                           std::source_location where = std::source_location::current());

  /// Returns the shard keys of the rows that may have this value in a lookup's columns, at most
  /// `lookup_keys_max`. A key that a row has left may be among them; none is missing.
  ///
  /// Errors: `unknown_table`; `invalid_argument` (no such lookup, other columns or types, too many keys);
  /// `precondition_failed` (slots have moved and the lookup is still building); `node_unreachable`. Cost: one
  /// round trip, to the source or to the shard of the value.
  result<std::vector<shard_key>> lookup(std::string_view table, std::string_view lookup,
                                        shard_key const& value,
                                        std::chrono::milliseconds deadline = std::chrono::milliseconds{
                                            30000});

  /// Runs one SELECT for each shard key that the value leads to. The shard key's columns follow the caller's
  /// parameters: with one parameter write `WHERE email = $1 AND customer_id = $2`. The statement must also
  /// hold the condition on the value itself, because a mapping may be stale.
  ///
  /// Errors: those of `lookup` and `read`. Cost: that of `lookup`, and one read for each key.
  result<lookup_answer> read_by(std::string_view table, std::string_view lookup, shard_key const& value,
                                std::string_view sql, std::vector<text_value> parameters = {},
                                read_options const& options = {});

  /// Runs one INSERT, UPDATE or DELETE of the row that has this value in a unique lookup, with parameters as
  /// for `read_by`. Nothing: no row has the value, and nothing was written. If the row has moved to another
  /// shard key meanwhile, it is found again. Takes no `operation_id`.
  ///
  /// Errors: those of `lookup` and `execute`. Cost: both.
  result<std::optional<write_receipt>> execute_by(std::string_view table, std::string_view lookup,
                                                  shard_key const& value, std::string_view sql,
                                                  std::vector<text_value> parameters = {},
                                                  write_options const& options = {});

  /// Runs one SELECT of rows of several shard keys. Each node is asked once, and all at the same time.
  ///
  /// The statement finds its node's keys as arrays in the first parameters, one for each column of the shard
  /// key: `WHERE customer_id = ANY ($1)`. The caller's parameters follow. `budget` and `fan_out_max` do not
  /// apply.
  ///
  /// A part waits for a moving slot as a write does. If authority moves, the whole read begins anew, so that
  /// each row comes from one node that had authority for it.
  ///
  /// Errors: those of `read_all`. Cost: one round trip for each node, at the same time.
  result<merged_answer> read_many(std::string_view table, std::span<shard_key const> keys,
                                  std::string_view sql, std::vector<text_value> parameters = {},
                                  scatter_options const& options = {});

  /// Runs one SELECT of rows of any shard key on every node with authority for some slot of the group.
  ///
  /// The condition {slots:o.customer_id} in the statement says where the row's shard key is. ORDER BY, LIMIT
  /// and aggregates are given in `options.merge`, never in the statement.
  ///
  /// Errors:
  /// - those of SQLSTATE, with the node
  /// - `unknown_table`, `invalid_argument`
  /// - `statement_refused`: the manifest does not allow it, too many nodes or rows, or a statement whose
  /// parts do
  ///   not add up
  /// - `deadline_exceeded`: the message names the nodes that were late
  /// - `stall_budget_spent`
  ///
  /// Cost: one round trip for each node, at the same time; two more to one node if a server sorts or
  /// combines. While authority is split the condition costs about 2 us a row, otherwise nothing.
  result<merged_answer> read_all(std::string_view table, std::string_view sql,
                                 std::vector<text_value> parameters = {},
                                 scatter_options const& options = {});

  /// What the session has written and seen, as text that travels with the user, for example in an HTTP header
  /// (docs/guides/read_your_writes.md). It has 60 bytes after writes to one node, and 2.6 KB after writes to
  /// the source and 64 shards; see `session_token`.
  std::string token() const;

  /// Takes over another session's token: for each node the later position counts. A token that is malformed
  /// or of another system satisfies nothing and blocks nothing (R1): reads that can't be judged go to the
  /// primary.
  void adopt(std::string_view token);

 private:
  friend class client;
  friend struct async_access;
  explicit client_session(std::unique_ptr<session_state> fresh);
  std::unique_ptr<session_state> state_;
};

/// The library's part of one process: connections, the current generation, the replicas' positions and the
/// background work.
///
/// Thread safety: shared use is safe. Lifetime: close it, or destroy it, before the process ends. Queued dual
/// writes are then dropped, and the stream brings them.
class client {
 public:
  /// Opens a client: connects to the source, reads the newest generation, and starts one background thread,
  /// which also registers the process in the client registry. While the source is down it connects to another
  /// node of the options. Dual writes in async mode get one thread for each shard when first used.
  ///
  /// Errors: `node_unreachable`, `authentication_failed`, `invalid_argument`, `precondition_failed` (no
  /// generation is published).
  static result<client> open(client_options options);

  client(client&&) noexcept;
  client& operator=(client&&) noexcept;
  ~client();

  /// A new session, with an empty token. Cost: no I/O.
  client_session session();

  /// The number of the generation in use.
  std::uint64_t generation() const;

  /// Where a call goes now. Errors: `unknown_table`, `shard_key_missing`, `invalid_argument`.
  result<route> route_of(std::string_view table, shard_key const& key) const;

  /// Ids for new rows of a table whose manifest says LEASED or SLOT. Errors: `unknown_table`,
  /// `invalid_argument` (another strategy).
  result<id_source> ids(std::string_view table) const;

  /// Where a row goes now, by its id alone, for tables whose manifest says SLOT. It needs no lookup.
  /// Errors: `unknown_table`, `invalid_argument` (another strategy, or no such id).
  result<route> route_of_id(std::string_view table, std::int64_t id) const;

  /// Polls for a newer generation now, and returns the number in use. Errors: `node_unreachable` if no node
  /// answered.
  result<std::uint64_t> refresh();

  /// Counts since `open`.
  struct counts {
    std::uint64_t writes{}, refusals{}, retries{}, in_doubt{};
    /// Transactions on the source over rows placed on several shards: refused once those have moved.
    std::uint64_t cross_shard{};
    std::uint64_t dual_writes_applied{}, dual_writes_pending{}, dual_writes_refused{};
    std::uint64_t reads_replica{}, reads_primary{};
    /// Served by a shard while the source had authority.
    std::uint64_t reads_shard{};
    /// Hedges sent, and those that answered first.
    std::uint64_t hedges{}, hedges_won{};
  };
  counts totals() const;

  /// Which generation is in use, and whether a newer one was refused. Cost: no I/O.
  client_health health() const;

  /// What the calls since `open` were like. Empty if `client_options::observe` is off. Cost: copies the whole
  /// report; do not call it on the request path.
  call_report report() const;

  /// Shadow reads of one table since `open`. `dropped`: the background was full, or the answer too large to
  /// compare.
  struct shadow_counts {
    std::uint64_t equal{}, stale{}, different{}, not_comparable{}, dropped{};
  };
  /// By table. A table without shadow reads is not in it.
  std::map<std::string, shadow_counts> shadow_totals() const;

  /// Ends the background work, and waits for asynchronous calls that have begun. Other calls in flight end
  /// with an error. May be called twice.
  void close() noexcept;

 private:
  friend struct async_access;
  explicit client(std::shared_ptr<client_state> fresh);
  std::shared_ptr<client_state> state_;
};

}  // namespace v0
}  // namespace shardway
