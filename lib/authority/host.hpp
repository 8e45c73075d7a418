// What the write path needs from whoever holds connections and generations: the client, or a test.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/store/lent_session.hpp"
#include "shardway/base/write_id.hpp"
#include "shardway/manifest/generation.hpp"
#include "shardway/route/placement.hpp"
#include "shardway/route/shard_key.hpp"

namespace shardway {
inline namespace v0 {

/// Where one write goes now. The pointers live as long as `current`.
struct write_target {
  std::shared_ptr<generation const> current;
  table_state const* table{};
  group_state const* group{};
  slot_id slot{};
  node_index node{};
  std::string node_name;
  shardway::epoch epoch{};
  shard_id placed{};
  std::vector<text_value> shard_key;  ///< the key's columns as text
};

/// A transaction whose COMMIT was not answered. `xid` empty: it was not known. `write`: there would be an
/// outbox row.
struct commit_question {
  node_index node{};
  connection_facts facts;
  std::string xid;
  std::optional<write_id> write{};
};

/// Lends sessions. Thread safety: shared use is safe.
class session_lender {
 public:
  virtual ~session_lender() = default;
  /// A healthy session of the node. Errors: those of `session_pool::lease`.
  virtual result<lent_session> lend(node_index, steady_time deadline) = 0;
  virtual std::string name_of(node_index) const = 0;
  /// The same from sessions kept apart for short transactions beside one that is open: waiting for one never
  /// waits for a writer that waits here itself.
  virtual result<lent_session> lend_aside(node_index node, steady_time deadline) {
    return lend(node, deadline);
  }
};

/// Thread safety: one thread at a time.
class write_host : public session_lender {
 public:
  /// The route of a key under the current generation. Errors: `unknown_table`, `shard_key_missing`,
  /// `invalid_argument`.
  virtual result<write_target> locate(std::string_view table, shard_key const& key) = 0;
  /// Looks for a generation newer than `seen`; whether there is one. Errors: no node answered.
  virtual result<bool> refresh(std::uint64_t seen, steady_time deadline) = 0;
  /// What became of a transaction; `in_doubt` if that can't be found out in time.
  virtual commit_outcome resolve(commit_question const&) = 0;
  /// A fence refused.
  virtual void refused(write_target const&, error const&) noexcept = 0;
  /// A write committed on the node, at or before `position`.
  virtual void committed(std::string const& node, connection_facts const&, lsn position) = 0;
  /// A transaction on the source changes rows that are placed on several shards: it will be refused once they
  /// have moved.
  virtual void crosses_shards(write_target const&) noexcept {}
  /// Code that borrowed the connection changed rows of the group that no dual write would capture: it will be
  /// refused while dual writing.
  virtual void uncaptured(write_target const&, std::int64_t /*rows*/) noexcept {}
  /// A statement of a transaction is about to be sent; `key` is nothing where the call names none. Without
  /// SQL and key: statements that are not seen.
  virtual void touches(std::string_view /*table*/, shard_key const* /*key*/, std::string_view /*sql*/,
                       std::span<text_value const> /*parameters*/) {}
  virtual std::chrono::milliseconds stall_budget() const noexcept = 0;
};

}  // namespace v0
}  // namespace shardway
