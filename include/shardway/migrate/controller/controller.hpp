// The one actor of a migration: holds the lease, runs the engine, serves requests. Kill it at any moment and
// start it again.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "shardway/base/result.hpp"
#include "shardway/manifest/generation.hpp"
#include "shardway/migrate/nodes/engine_nodes.hpp"
#include "shardway/migrate/verify/verify.hpp"
#include "shardway/migrate/wave/wave.hpp"

namespace shardway {
inline namespace v0 {

struct controller_options {
  migration_manifest migration;                              ///< addresses and roles
  std::string holder;                                        ///< shown in the lease, such as "host:pid"
  std::function<result<std::string>()> password_provider{};  ///< for every connection; may be empty
  std::chrono::milliseconds lease_duration{
      3000};  ///< > 0: a dead controller's successor waits this long at most
  std::chrono::milliseconds lease_wait{15000};  ///< >= 0: how long `start` waits for another's lease to end
  wave_options waves{};
  verify_options verification{};
  engine_limits limits{};
  /// A group begins to copy only if its newest rehearsal passed and is not older. 0: no rehearsal is needed.
  std::chrono::seconds rehearsal_age_max{std::chrono::hours{24}};
  std::chrono::seconds certificate_age_max{600};  ///< > 0: an older certificate is red at the wave's gate
  std::chrono::milliseconds gate_patience{
      5000};  ///< >= 0: how long a wave waits for clients to refresh and streams to come back
  std::chrono::seconds client_expiry{10};  ///< > 0: a client silent for longer no longer counts
  std::chrono::seconds foreign_quiet{
      3};  ///< >= 0: a wave waits until no foreign write was seen for this long
  std::chrono::seconds transaction_age_max{
      30};  ///< > 0: an older transaction on a node is red at the wave's gate
  std::int64_t lag_bytes_max{std::int64_t{16}
                             << 20};  ///< > 0: more lag of a stream is red at the wave's gate
  std::string client_programs{};      ///< folder of pg_dump and psql; empty: PATH
};

/// One condition of a wave. Any red one refuses.
struct gate {
  std::string name;  ///< stable
  bool green{};
  std::string detail;  ///< what was found
  std::string fix;     ///< what to do; empty when green
};

/// What applying manifests changed.
struct apply_report {
  std::vector<std::string> changes;
  std::uint64_t generation{};
};

/// Installs shardway on every node, reads the tables' columns and publishes the generation that the manifests
/// describe, with new tables in stage observing. Holds the lease meanwhile. Errors: `lease_held` (a
/// controller runs: send it a request of kind apply), `manifest_invalid` (a change that is not allowed),
/// `precondition_failed`, `unknown_table`.
result<apply_report> apply_manifests(controller_options const&, std::vector<table_manifest> const&);

/// Thread safety: not safe, but `run` may be stopped from any thread. Lifetime: the destructor stops all
/// threads and releases the lease.
///
/// Requests (`shardway.request`), by kind and arguments; others are refused. advance {group, to}: stage by
/// stage, done when it is there · guard {group, mode: refusing} · verify {group} · gates {group} · wave
/// {group, percent, approved_by} · rollback {group, shard?, approved_by} · finalize {group, approved_by} ·
/// reconcile {group} · pause {} and resume {} (the copy) · apply {documents: [text], migration?: text} ·
/// lookup {table, name, do: build|check|repair}.
class controller {
 public:
  /// Takes the lease, raises the token on every node, finishes or undoes unfinished waves, starts the engine.
  /// Errors: `lease_held`, `node_unreachable`, `precondition_failed` (manifests were never applied),
  /// `corrupt_data` (I1).
  static result<std::unique_ptr<controller>> start(controller_options);
  ~controller();

  /// Serves until asked to stop. Errors: `not_leader` (another controller has taken over).
  result<> run(std::stop_token);

 private:
  struct impl;
  explicit controller(std::unique_ptr<impl>);
  std::unique_ptr<impl> impl_;
};

}  // namespace v0
}  // namespace shardway
