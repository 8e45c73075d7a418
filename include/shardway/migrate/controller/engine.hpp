// The threads that move rows: stream, copy and mirrors of one migration, for the controller.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "shardway/base/ids.hpp"
#include "shardway/base/result.hpp"
#include "shardway/manifest/generation.hpp"
#include "shardway/migrate/nodes/engine_nodes.hpp"
#include "shardway/migrate/stream/state.hpp"

namespace shardway {
inline namespace v0 {

struct engine_options {
  engine_nodes nodes;
  std::shared_ptr<generation const> routing;  ///< newest generation; must not be null
  std::int64_t token{};  ///< of the controller's lease; every transaction of the engine carries it
  engine_limits limits{};
};

/// Runs one dispatcher thread (reads the source's replication slot), one applier thread a shard, copy workers
/// while a copy runs and one mirror thread a shard where asked for.
///
/// What it finds wrong it does not work round: the stream concerned stops, nothing is confirmed past it, and
/// `failure` says why. Lost connections are not such: it reconnects by itself. A `not_leader` failure means
/// that a newer controller has the lease. Preconditions: schemas, publications, fences and replication slots
/// are installed; the token has been raised on every node. Thread safety: shared use is safe. Lifetime: the
/// destructor stops and joins all threads.
class engine {
 public:
  /// Starts the stream from the replication slot's confirmed position. Comes back as soon as the threads run.
  /// Errors: `invalid_argument`; errors of the first look at the source (`node_unreachable`, `stream_broken`
  /// without a replication slot).
  static result<std::unique_ptr<engine>> start(engine_options options);
  ~engine();
  engine(engine const&) = delete;
  engine& operator=(engine const&) = delete;

  /// A newer generation: tables and groups that joined, stages. Windows are not taken from it; they come with
  /// the WAL (S22).
  void update_generation(std::shared_ptr<generation const> routing);

  /// Copies every table of the group whose chunks are not all closed, in the background; `copy_state` tells.
  /// Preconditions: the tables are in the publication and empty (or half copied) on the shards.
  /// Errors: `invalid_argument` (no such group, or its copy runs already).
  result<> start_copy(std::string_view group);
  copy_progress copy_state(std::string_view group) const;
  /// Holds back new chunks of all copies (those open are finished), and lets them go on.
  void pause_copy();
  void resume_copy();

  /// Starts the mirror of a shard from its replication slot's confirmed position. Does nothing if it runs.
  /// Errors: `invalid_argument`.
  result<> start_mirror(shard_id);
  /// Stops it and joins its thread; what it has not applied stays in the replication slot.
  void stop_mirror(shard_id);

  stream_state stream(shard_id) const;
  stream_state mirror(shard_id) const;
  /// Why the dispatcher stopped, if it did: no forward stream moves then.
  std::optional<error> dispatcher_failure() const;
  /// Groups whose changes the forward streams let go, each with the reason: something underneath was changed,
  /// and the group has to go back to observing and be copied again. The other groups go on.
  std::map<std::string, std::string> paused_groups() const;
  /// What the dispatcher has decoded so far.
  lsn decoded() const;
  /// What the source may forget: the smallest position that all shards have committed.
  lsn confirmed() const;

  /// Stops and joins all threads; batches in flight are committed or rolled back. Idempotent.
  void stop();

 private:
  struct parts;
  explicit engine(std::unique_ptr<parts>);
  std::unique_ptr<parts> parts_;
};

}  // namespace v0
}  // namespace shardway
