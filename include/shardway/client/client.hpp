// What an application holds: a client, and a session a user or request. The same calls in every stage of a
// migration.
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

struct client_options {
  connect_options source;  ///< the source; it holds the catalog
  /// Other nodes by name. Overrides the address that the generation gives (a tunnel, a password provider);
  /// asked for the generation while the source is down (K1). Empty: addresses and names of the generation,
  /// and the source's password provider.
  std::vector<connect_options> nodes{};
  std::string application{
      "application"};              ///< application_name on every connection and in the client registry
  std::size_t connections_max{8};  ///< > 0: per node
  std::size_t connections_min{};   ///< <= connections_max: kept open to each node that has been used, by the
                                   ///< background thread
  std::chrono::milliseconds connect_timeout{
      2000};  ///< > 0: of connections made for nodes that `nodes` does not name
  std::chrono::milliseconds generation_interval{200};  ///< > 0: between two looks for a newer generation
  bool listen{true};  ///< one more connection to the source, on which a new generation is told at once;
                      ///< polling goes on beside it
  std::chrono::milliseconds replica_interval{
      20};  ///< > 0: between two looks at the replicas' positions; 0 replicas: none
  /// >= 0: how long a call waits for authority to settle, from its first refusal. It covers a wave's stall
  /// and is longer than the wave's own.
  std::chrono::milliseconds stall_budget{5000};
  std::chrono::milliseconds resolve_deadline{
      5000};  ///< > 0: how long to look for the outcome of a COMMIT whose answer was lost
  std::size_t queue_rows_max{10000};  ///< > 0: rows waiting for a shard in the background; past it dual
                                      ///< writes are left to the stream
  std::size_t read_threads_max{
      16};  ///< > 0: threads for reads of several nodes, made when first needed; the caller's own works too
  std::size_t async_queue_max{
      1000};  ///< calls of client/async.hpp that may wait for one of `connections_max` threads
  std::shared_ptr<events> listener{};  ///< may be empty
  std::shared_ptr<metrics> meter{};    ///< may be empty
  bool observe{true};  ///< counts calls by table, call site and shape: `client::report`, `shardway observe`
  std::chrono::milliseconds report_interval{
      5000};  ///< > 0: between two uploads of the report, by the background thread, if it changed
  /// Calls on tables that no manifest names go to the source as they are, in every stage, and are counted.
  /// False: `unknown_table`.
  bool observe_unknown_tables{false};
};

/// A user's or request's view: it sees its own writes wherever it reads next.
///
/// Thread safety: distinct objects: safe. Shared object: not safe.
/// Lifetime: keeps what it needs of the client alive; after `client::close` its calls fail with `cancelled`.
class client_session {
 public:
  client_session(client_session&&) noexcept;
  client_session& operator=(client_session&&) noexcept;
  ~client_session();

  /// One INSERT, UPDATE or DELETE of rows with this shard key, in its own transaction, on the node that has
  /// authority.
  ///
  /// A refusal of the fence changes nothing: the call refreshes the generation, waits within `stall_budget`
  /// and tries again. A reference table has no shard key: give `{}`. So may a call on any table while its
  /// group is observing: it goes to the source, is counted as without a key, and is an error from `copying`
  /// on; its receipt's slot means nothing. `where` and `write_options::call_site` name the call in reports
  /// and do nothing else. Errors: those of SQLSTATE · `unknown_table`, `shard_key_missing`,
  /// `invalid_argument` · `statement_refused` (a dual write can't capture it) · `shard_key_mismatch` ·
  /// `stall_budget_spent` (nothing was written) · `node_unreachable` (nothing was written) · `in_doubt`: its
  /// message names the write id; never retried.
  /// Cost: observing one round trip; afterwards one round trip (a pipeline) to the authority, while dual
  /// writing (sync) one more to the shard, without an fsync.
  result<write_receipt> execute(std::string_view table, shard_key const& key, std::string_view sql,
                                std::vector<text_value> parameters = {}, write_options const& options = {},
                                std::source_location where = std::source_location::current());

  /// Several statements in one transaction. `body` may be run again as a whole (see `write_transaction`); an
  /// error it returns rolls back and is returned. Errors and waits: as `execute`, and `serialization_failure`
  /// after `retries_max`. Cost: one round trip to begin, one a statement, one to commit, and the dual
  /// write's.
  result<write_receipt> write(std::string_view table, shard_key const& key,
                              std::function<result<>(write_transaction&)> const& body,
                              write_options const& options = {},
                              std::source_location where = std::source_location::current());

  /// One INSERT, UPDATE or DELETE for many rows, each with its shard key and parameters. Rows are grouped by
  /// the node that has authority; each node's rows are one transaction in one round trip, node after node. A
  /// row that fails rolls its node's part back and no other. What became of each part is in the receipt, also
  /// where a part failed; an error means that nothing was written. Errors: `invalid_argument` (more than
  /// `batch_rows_max` rows) · `unknown_table`, `shard_key_missing` · `cross_shard`, where
  /// `single_transaction` asks for one and several nodes have authority.
  /// Cost: a round trip a node; while dual writing (sync) one more a shard.
  result<batch_receipt> execute_batch(std::string_view table, std::string_view sql,
                                      std::span<batch_row const> rows, batch_options const& options = {});

  /// One row by its columns, values in PostgreSQL's text form; the shard key is taken from them. `insert` and
  /// `upsert`: columns left out get their defaults. `upsert`: where the primary key is taken, the other
  /// columns given are updated, never primary key or shard key. `update`: the columns beside the keys are
  /// set; 0 rows `affected` where there is no such row. `erase`: primary key and shard key alone. Errors: as
  /// `execute` · `shard_key_missing`, `invalid_argument` (see `make_row_statement`) · `shard_key_mismatch`:
  /// `upsert` met a row with this primary key and another shard key, and changed nothing. Cost: as `execute`.
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

  /// One SELECT of rows with this shard key, as fresh as the options ask. Only reads of
  /// `consistency::primary` and locking reads ask the fence, and wait for it as a write does. Errors: those
  /// of SQLSTATE; `unknown_table`, `shard_key_missing`; `statement_refused` for anything that writes;
  /// `node_unreachable`. Cost: one round trip where a replica is far enough.
  result<read_answer> read(std::string_view table, shard_key const& key, std::string_view sql,
                           std::vector<text_value> parameters = {}, read_options const& options = {},
                           std::source_location where = std::source_location::current());

  /// The shard keys of the rows that may have this value in a lookup's columns, at most `lookup_keys_max`. A
  /// key that a row has left may be among them; none is missing. Errors: `unknown_table`, `invalid_argument`
  /// (no such lookup, other columns or types, too many keys) · `precondition_failed` (slots have moved and
  /// the lookup is still building) · `node_unreachable`. Cost: one round trip, to the source or to the shard
  /// of the value.
  result<std::vector<shard_key>> lookup(std::string_view table, std::string_view lookup,
                                        shard_key const& value,
                                        std::chrono::milliseconds deadline = std::chrono::milliseconds{
                                            30000});
  /// One SELECT for each shard key that the value leads to. The shard key's columns follow the caller's
  /// parameters: with one parameter write `WHERE email = $1 AND customer_id = $2`. The value's own condition
  /// is the caller's too, for a mapping may be stale. Errors: those of `lookup` and `read`. Cost: that of
  /// `lookup`, and a read for each key.
  result<lookup_answer> read_by(std::string_view table, std::string_view lookup, shard_key const& value,
                                std::string_view sql, std::vector<text_value> parameters = {},
                                read_options const& options = {});
  /// One INSERT, UPDATE or DELETE of the row that has this value in a unique lookup; parameters as for
  /// `read_by`. Nothing: no row has it, and nothing was written. Found again if the row has moved to another
  /// shard key meanwhile. Takes no `operation_id`. Errors: those of `lookup` and `execute`. Cost: both.
  result<std::optional<write_receipt>> execute_by(std::string_view table, std::string_view lookup,
                                                  shard_key const& value, std::string_view sql,
                                                  std::vector<text_value> parameters = {},
                                                  write_options const& options = {});

  /// One SELECT of rows of several shard keys, each node asked once and all at the same time. The statement
  /// finds its node's keys in $1 as an array, one for each column of the shard key ($1, $2): `WHERE
  /// customer_id = ANY ($1)`; the caller's parameters follow. `budget` and `fan_out_max` do not apply. A part
  /// waits for a moving slot as a write does; authority that moves begins the whole read anew, so that each
  /// row comes from one node that had authority for it. Errors: those of `read_all`. Cost: one round trip a
  /// node, at once.
  result<merged_answer> read_many(std::string_view table, std::span<shard_key const> keys,
                                  std::string_view sql, std::vector<text_value> parameters = {},
                                  scatter_options const& options = {});
  /// One SELECT of rows of any shard key, to every node with authority for some slot of the group. The
  /// statement says with {slots:o.customer_id} as a condition where the row's shard key is. ORDER BY, LIMIT,
  /// aggregates are given in `options.merge`, never in the statement. Errors: those of SQLSTATE, with the
  /// node; `unknown_table` · `statement_refused` (the manifest does not allow it, too many nodes or rows, a
  /// statement whose parts do not add up) · `invalid_argument` · `deadline_exceeded` (names the nodes that
  /// were late) · `stall_budget_spent`. Cost: one round trip a node, at once; two more to one node where a
  /// server sorts or combines. While authority is split the condition costs about 2 us a row; else nothing.
  result<merged_answer> read_all(std::string_view table, std::string_view sql,
                                 std::vector<text_value> parameters = {},
                                 scatter_options const& options = {});

  /// What the session has written and seen, to be carried with the user (an HTTP header, see
  /// docs/guides/read_your_writes.md): 60 bytes after writes to one node, 2.6 KB after writes to the source
  /// and 64 shards; see `session_token`.
  std::string token() const;
  /// Takes over another session's token: the later of both counts. What is malformed or of another system
  /// satisfies nothing and blocks nothing (R1): reads that can't be judged go to the primary.
  void adopt(std::string_view token);

 private:
  friend class client;
  friend struct async_access;
  explicit client_session(std::unique_ptr<session_state> fresh);
  std::unique_ptr<session_state> state_;
};

/// Connections, the current generation, the replicas' positions and the background work of one process.
///
/// Thread safety: shared use is safe. Lifetime: close it (or destroy it) before the process ends; queued dual
/// writes are dropped, the stream brings them.
class client {
 public:
  /// Connects to the source (or, while it is down, to another node given), reads the newest generation and
  /// starts one background thread, which also registers the process in the client registry. Dual writes in
  /// async mode get one thread a shard when first used. Errors: `node_unreachable`, `authentication_failed`,
  /// `invalid_argument`, `precondition_failed` (no generation is published).
  static result<client> open(client_options options);
  client(client&&) noexcept;
  client& operator=(client&&) noexcept;
  ~client();

  client_session session();
  /// The number of the generation in use.
  std::uint64_t generation() const;
  /// Where a call goes now. Errors: `unknown_table`, `shard_key_missing`, `invalid_argument`.
  result<route> route_of(std::string_view table, shard_key const& key) const;
  /// Ids for new rows of a table whose manifest says LEASED or SLOT. Errors: `unknown_table`,
  /// `invalid_argument` (another strategy).
  result<id_source> ids(std::string_view table) const;
  /// Where a row goes now, by its id alone: for tables whose manifest says SLOT. No look-up.
  /// Errors: `unknown_table`, `invalid_argument` (another strategy, or no such id).
  result<route> route_of_id(std::string_view table, std::int64_t id) const;
  /// Looks for a newer generation now. Errors: `node_unreachable` if no node answered.
  result<std::uint64_t> refresh();
  /// Counts since `open`.
  struct counts {
    std::uint64_t writes{}, refusals{}, retries{}, in_doubt{};
    std::uint64_t cross_shard{};  ///< transactions on the source over rows placed on several shards: refused
                                  ///< once those have moved
    std::uint64_t dual_writes_applied{}, dual_writes_pending{}, dual_writes_refused{};
    std::uint64_t reads_replica{}, reads_primary{};
    std::uint64_t reads_shard{};           ///< served by a shard while the source had authority
    std::uint64_t hedges{}, hedges_won{};  ///< second legs sent, and those that answered first
  };
  counts totals() const;
  /// Which generation is in use, and whether a newer one was refused. Cost: no I/O.
  client_health health() const;
  /// What the calls since `open` were like; empty with `client_options::observe` off. Cost: copies it all;
  /// not for the request path.
  call_report report() const;
  /// Shadow reads of one table since `open`. `dropped`: the background was full, or the answer too large to
  /// compare.
  struct shadow_counts {
    std::uint64_t equal{}, stale{}, different{}, not_comparable{}, dropped{};
  };
  /// By table; a table without shadow reads is not in it.
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
