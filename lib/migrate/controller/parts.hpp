// What the controller holds while it runs. One thread uses it; the lease has a thread and a connection of its
// own.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "lib/migrate/controller/gates.hpp"
#include "lib/migrate/controller/lease_keeper.hpp"
#include "lib/migrate/controller/node_connections.hpp"
#include "shardway/catalog/request.hpp"
#include "shardway/migrate/controller/controller.hpp"
#include "shardway/migrate/controller/engine.hpp"

namespace shardway {
inline namespace v0 {

/// A request to bring a group to a stage, served over many turns of the loop.
struct stage_goal {
  std::int64_t request{};
  stage to{};
};

struct controller::parts {
  explicit parts(controller_options given) : options(std::move(given)), nodes(options) {}

  controller_options options;
  migrate::control::node_connections nodes;
  std::unique_ptr<migrate::control::lease_keeper> lease;
  std::shared_ptr<generation const> now;
  std::unique_ptr<engine> streams;
  std::map<std::string, stage_goal> goals{};  ///< by group
  bool has_unended_wave{};  ///< a wave broke off: it is finished or undone before anything else
  std::optional<std::pair<std::int64_t, error>>
      unreported{};  ///< a request that failed while the catalog was away

  std::int64_t token() const { return lease->token(); }
  migrate::onboard::onboard_options onboarding() const;
  std::vector<table_state> tables_of(std::string const& group) const;
  result<group_state> group(std::string const& name) const;

  /// Publishes a changed generation and gives it to the engine.
  result<> publish(generation next);
  /// The engine runs once the forward replication slot exists; mirrors run for groups that are dual written
  /// or moved.
  result<> ensure_engine();
  /// The same where a group has begun to copy: without the replication slot that is an error (S2), never a
  /// fresh one in silence.
  result<> need_engine();
  result<> ensure_mirrors();

  /// One turn: requests, goals, housekeeping, status.
  result<> turn();
  result<> serve_request(request const&);
  result<> report_failure(std::int64_t request_id, error const& why);
  /// Finishes or undoes waves without an end, before anything else is done with fences.
  result<> end_waves();
  result<std::string> answer(request const&);
  result<> advance_goals();
  result<> advance_one_stage(std::string const& group);

  result<> pass_gates(std::string const& group, wave_direction direction);
  result<std::string> serve_wave(request const&, wave_direction);
  result<std::string> serve_verify(std::string const& group, bool repair);
  result<> drain_mirrors(std::string const& group);
  result<std::string> serve_finalize(std::string const& group);
  result<> let_mirror_go(group_state const& state, std::vector<table_state> const& tables);
  result<std::string> serve_guard(std::string const& group, std::string const& mode);
  result<std::string> serve_gates(std::string const& group);
  result<std::string> serve_apply(request const&);
  result<std::string> serve_lookup(request const&);
  result<> await_keepers(table_state const& table);

  result<> start_copying(std::string const& group);
  result<> finish_copying(std::string const& group);
  result<> start_dual_writing(std::string const& group);
  result<> set_stage(std::string const& group, stage at);

  result<> write_status();
  std::string status_document() const;
  std::chrono::steady_clock::time_point status_written{};
  std::chrono::steady_clock::time_point housekept{};
  result<> keep_house();

  /// A member of a request's arguments; empty if absent. PostgreSQL reads the JSON.
  result<std::string> argument(request const&, std::string const& name);
};

/// Tables for the lookups of groups whose clients keep them. Errors: `prepare_lookups`.
result<> prepare_known_lookups(migrate::control::node_connections&, generation const& next,
                               std::string const& role, migrate::onboard::onboard_options const&);

/// The generation after applying manifests: pure. Errors: `manifest_invalid` listing each change that is not
/// allowed, or for pins that have no slot.
result<generation> generation_with(generation const& now, migration_manifest const&,
                                   std::vector<table_state> const& tables, std::vector<std::string>& changes);

}  // namespace v0
}  // namespace shardway
