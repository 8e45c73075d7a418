#include "lib/migrate/controller/node_connections.hpp"

#include "lib/pg/conninfo.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

connect_options options_for(node_definition const& node, std::string const& role,
                            controller_options const& options) {
  return {.node = node.name,
          .conninfo = node.conninfo + " user=" + conninfo_value(role),
          .application_name = "shardway/" + options.migration.name,
          .password_provider = options.password_provider};
}

engine_nodes engine_nodes_for(controller_options const& options) {
  auto const& migration = options.migration;
  engine_nodes nodes{.source = options_for(migration.source, migration.engine_role, options),
                     .source_mirror = options_for(migration.source, migration.mirror_role, options),
                     .shards = {}};
  for (auto const& shard : migration.shards)
    nodes.shards.push_back(options_for(shard, migration.engine_role, options));
  return nodes;
}

namespace {

result<> renew(std::unique_ptr<session>& held, connect_options const& options) {
  if (held && !held->is_broken() && !held->in_transaction()) return success();
  held.reset();  // a session left in a transaction goes, and its locks with it
  BOOST_OUTCOME_TRY(held, connect(options));
  // What is decided here must survive the node: a role's or database's default does not count.
  BOOST_OUTCOME_TRYV(held->simple("SET synchronous_commit = on"));
  return success();
}

}  // namespace

result<> node_connections::refresh() {
  auto const nodes = engine_nodes_for(*options_);
  shards_.resize(nodes.shards.size());
  BOOST_OUTCOME_TRYV(renew(source_, nodes.source));
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    BOOST_OUTCOME_TRYV(renew(shards_[i], nodes.shards[i]));
  }
  return success();
}

node_sessions node_connections::sessions() const {
  node_sessions sessions{.source = source_.get(), .shards = {}};
  for (auto const& shard : shards_) sessions.shards.push_back(shard.get());
  return sessions;
}

onboard::onboard_node node_connections::source_node() const {
  auto const& migration = options_->migration;
  return {.node = source_.get(),
          .name = migration.source.name,
          .conninfo = options_for(migration.source, migration.engine_role, *options_).conninfo};
}

std::vector<onboard::onboard_node> node_connections::shard_nodes() const {
  std::vector<onboard::onboard_node> nodes;
  auto const& migration = options_->migration;
  for (std::size_t i = 0; i < shards_.size(); ++i)
    nodes.push_back(
        {.node = shards_[i].get(),
         .name = migration.shards[i].name,
         .conninfo = options_for(migration.shards[i], migration.engine_role, *options_).conninfo});
  return nodes;
}

std::vector<onboard::onboard_node> node_connections::all_nodes() const {
  auto nodes = shard_nodes();
  nodes.insert(nodes.begin(), source_node());
  return nodes;
}

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
