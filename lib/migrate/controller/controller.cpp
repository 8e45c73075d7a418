#include "shardway/migrate/controller/controller.hpp"

#include <thread>

#include "lib/migrate/controller/parts.hpp"
#include "lib/pg/replication_slot.hpp"
#include "lib/protocol/names.hpp"
#include "lib/protocol/progress.hpp"
#include "lib/protocol/schema.hpp"
#include "shardway/base/clock.hpp"
#include "shardway/base/stop_point.hpp"
#include "shardway/catalog/audit.hpp"
#include "shardway/catalog/client_registry.hpp"
#include "shardway/catalog/generation_store.hpp"
#include "shardway/catalog/install.hpp"

namespace shardway {
inline namespace v0 {

using namespace migrate;
using namespace migrate::control;
namespace {

// Kinds that change nothing when they run twice, or notice that they are done.
std::vector<std::string> idempotent_kinds() {
  return {"advance", "guard", "verify", "gates", "pause", "resume", "apply", "finalize", "lookup"};
}

result<generation> newest_or_fail(session& source) {
  BOOST_OUTCOME_TRY(auto const version, installed_schema_version(source));
  auto const none =
      error(error_code::precondition_failed, "no generation was ever published on " + source.identity().name,
            "shardway manifest apply")
          .at_node(source.identity().name);
  if (version == 0) return none;
  BOOST_OUTCOME_TRY(auto found, read_newest_generation(source));
  if (!found) return none;
  return std::move(*found);
}

}  // namespace

controller::controller(std::unique_ptr<parts> held) : parts_(std::move(held)) {}

controller::~controller() {
  if (parts_->streams) parts_->streams->stop();
}

result<std::unique_ptr<controller>> controller::start(controller_options options) {
  auto held = std::make_unique<parts>(std::move(options));
  BOOST_OUTCOME_TRYV(held->nodes.refresh());
  auto const sessions = held->nodes.sessions();
  auto all = sessions.shards;
  all.insert(all.begin(), sessions.source);
  BOOST_OUTCOME_TRY(auto first, newest_or_fail(*sessions.source));
  BOOST_OUTCOME_TRY(held->lease, lease_keeper::take(held->options, *sessions.source, all));
  stop_point("controller_after_lease");
  first.migration = held->options.migration;
  BOOST_OUTCOME_TRY(auto resumed, resume_waves(sessions, first, held->token(), held->options.waves));
  held->now = std::make_shared<generation const>(std::move(resumed));
  BOOST_OUTCOME_TRYV(recover_requests(*sessions.source, held->token(), idempotent_kinds()));
  BOOST_OUTCOME_TRYV(append_audit(*sessions.source, held->options.holder, "controller_started",
                                  "{\"token\": " + std::to_string(held->token()) + "}"));
  BOOST_OUTCOME_TRYV(held->ensure_engine());
  return std::unique_ptr<controller>(new controller(std::move(held)));
}

result<> controller::run(std::stop_token stop) {
  while (!stop.stop_requested()) {
    if (parts_->lease->is_lost())
      return error(error_code::not_leader, "another controller has taken the lease",
                   "let it work, or stop it first");
    auto const turned = parts_->turn();
    if (!turned && turned.error().code() == error_code::not_leader) return turned.error();
    // A node that is away is waited for: its stream and its mirror wait as well.
    if (!turned) sleep_for(std::chrono::milliseconds{200});
    sleep_for(std::chrono::milliseconds{20});
  }
  return success();
}

result<> controller::parts::turn() {
  BOOST_OUTCOME_TRYV(nodes.refresh());
  if (has_unended_wave) {
    BOOST_OUTCOME_TRYV(end_waves());
  }
  if (unreported) {
    BOOST_OUTCOME_TRYV(report_failure(unreported->first, unreported->second));
  }
  BOOST_OUTCOME_TRY(auto const next, take_request(nodes.source(), token()));
  if (next) {
    BOOST_OUTCOME_TRYV(serve_request(*next));
  }
  BOOST_OUTCOME_TRYV(advance_goals());
  BOOST_OUTCOME_TRYV(ensure_mirrors());
  BOOST_OUTCOME_TRYV(keep_house());
  return write_status();
}

onboard::onboard_options controller::parts::onboarding() const {
  onboard::onboard_options onboard;
  onboard.token = token();
  onboard.client_programs = options.client_programs;
  return onboard;
}

std::vector<table_state> controller::parts::tables_of(std::string const& group_name) const {
  std::vector<table_state> tables;
  for (auto const& table : now->tables)
    if (table.manifest.group == group_name) tables.push_back(table);
  return tables;
}

result<group_state> controller::parts::group(std::string const& name) const {
  if (auto const* found = now->find_group(name)) return *found;
  return error(error_code::invalid_argument, "there is no group " + name,
               "`shardway migrate status` lists the groups");
}

result<> controller::parts::publish(generation next) {
  auto const sessions = nodes.sessions();
  BOOST_OUTCOME_TRY(next.number, next_generation_number(*sessions.source, sessions.shards));
  BOOST_OUTCOME_TRYV(publish_generation(*sessions.source, sessions.shards, next, token()));
  now = std::make_shared<generation const>(std::move(next));
  if (streams) streams->update_generation(now);
  return success();
}

result<> controller::parts::set_stage(std::string const& name, stage at) {
  generation next = *now;
  for (auto& state : next.groups)
    if (state.name == name) state.stage = at;
  BOOST_OUTCOME_TRYV(publish(std::move(next)));
  return append_audit(
      nodes.source(), options.holder, "stage",
      "{\"group\": \"" + name + "\", \"stage\": \"" + std::string(shardway::name(at)) + "\"}");
}

result<> controller::parts::ensure_engine() {
  if (streams) return success();
  BOOST_OUTCOME_TRY(
      auto const slot,
      find_replication_slot(nodes.source(), names::forward_replication_slot(options.migration.name)));
  if (!slot) return success();  // no group has begun to copy
  engine_options const wanted{
      .nodes = engine_nodes_for(options), .routing = now, .token = token(), .limits = options.limits};
  BOOST_OUTCOME_TRY(streams, engine::start(wanted));
  return ensure_mirrors();
}

result<> controller::parts::need_engine() {
  BOOST_OUTCOME_TRYV(ensure_engine());
  if (streams) return success();
  return error(error_code::stream_broken,
               "the replication slot " + names::forward_replication_slot(options.migration.name) + " is gone",
               "take the group back to observing and copy it again")
      .at_node(options.migration.source.name);
}

result<> controller::parts::ensure_mirrors() {
  if (!streams) return success();
  bool wanted = false;
  for (auto const& state : now->groups)
    wanted = wanted || state.stage == stage::dual_writing || state.stage == stage::sharded;
  for (std::size_t i = 0; i < options.migration.shards.size(); ++i) {
    auto const shard = shard_id{static_cast<std::uint16_t>(i)};
    auto const state = streams->mirror(shard);
    if (wanted && !state.is_running && !state.failure) {
      BOOST_OUTCOME_TRYV(streams->start_mirror(shard));
    }
    if (!wanted && state.is_running) streams->stop_mirror(shard);
  }
  return success();
}

result<> controller::parts::keep_house() {
  auto const at = steady_now();
  if (at - housekept < std::chrono::seconds{5}) return success();
  housekept = at;
  auto& source = nodes.source();
  // A table that stays locked is tried again next time; a DEFAULT partition takes the rows meanwhile (W26).
  (void)source.simple("SET lock_timeout = '100ms'; " + maintain_outbox_sql(2, 48) + "; RESET lock_timeout");
  BOOST_OUTCOME_TRYV(expire_clients(source, token(), std::chrono::hours{1}));
  for (auto const& shard : options.migration.shards) {
    BOOST_OUTCOME_TRYV(source.query(trim_progress_statement(shard.name)));
  }
  for (auto* shard : nodes.sessions().shards) {
    BOOST_OUTCOME_TRYV(shard->query(trim_progress_statement(names::source_stream)));
  }
  return success();
}

}  // namespace v0
}  // namespace shardway
