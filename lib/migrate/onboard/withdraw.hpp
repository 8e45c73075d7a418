// A group goes back to observing: every step removes what a step of onboarding made, and may be repeated.
#pragma once

#include <string>
#include <vector>

#include "lib/migrate/onboard/options.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {

/// What keeps the tables from being dropped on the shard: "foreign key shop.items.items_order", "view
/// shop.paid".
result<std::vector<std::string>> find_dependents(onboard_node const& shard, std::vector<table_state> const&);

/// On the source: membership of the publication, all triggers of ours and their functions; sequences get the
/// increments back that they had before their ids were interleaved.
result<> leave_source(onboard_node const& source, migration_manifest const&, std::vector<table_state> const&,
                      onboard_options const&);

enum class shard_tables : unsigned char {
  dropped,
  kept,  ///< with their rows, which nobody keeps up to date; without what shardway added to them
};
/// On a shard: membership of the publication, with the last table also the publication and the reverse
/// replication slot; the tables or what was added to them; mappings of lookups. Types, functions and schemas
/// stay. Preconditions: no mirror streams from a replication slot that goes.
result<> leave_shard(onboard_node const& shard, migration_manifest const&, std::vector<table_state> const&,
                     shard_tables, onboard_options const&);

/// On a node: the group's fence and its lock relation. Waits for calls that hold it.
result<> drop_fence(onboard_node const& node, std::string const& group, onboard_options const&);

/// After the last group: the forward replication slot, the publication, and what shards and the catalog
/// remember of the stream. Preconditions: no dispatcher streams. Errors: `precondition_failed` if the
/// replication slot stays in use.
result<> drop_forward_stream(onboard_node const& source, std::vector<onboard_node> const& shards,
                             migration_manifest const&, onboard_options const&);

/// Rows about the tables: chunks, certificates, repairs, outbox. Foreign writers, waves, the journal and the
/// audit log stay, and so do the blocks of ids: what was given out never comes again.
result<> forget_rows(onboard_node const& source, std::string const& group, std::vector<table_state> const&,
                     onboard_options const&);

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
