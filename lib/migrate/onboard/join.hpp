// Tables join the stream of the source, and shards get the stream of their mirror.
#pragma once

#include <string>
#include <vector>

#include "lib/migrate/onboard/options.hpp"
#include "shardway/base/lsn.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {

struct join_report {
  std::vector<std::string> added;       ///< tables that joined the publication in this call
  bool is_replication_slot_new{};       ///< this call created the forward replication slot
  lsn consistent_point;                 ///< of a new replication slot: the stream starts here
  std::vector<std::string> waited_for;  ///< transactions that had to end first: pid, application, age
};

/// Lets tables join the stream of the source: publication, write guard (recording), trigger on the shard key
/// where the primary key does not hold it; creates the forward replication slot once; waits until every
/// transaction older than the publication's change has ended (CP3). The first chunk may open only after this
/// returned. Errors: `deadline_exceeded` naming the transactions that it still waits for (all else is in
/// place: call again).
result<join_report> join_publication(onboard_node const& source, migration_manifest const&,
                                     std::vector<std::string> const& groups, std::vector<table_state> const&,
                                     onboard_options const&);

/// On a shard: creates the publication of the groups' tables, fences and marker, then the reverse replication
/// slot. Returns the consistent point if this call created the replication slot.
result<lsn> prepare_reverse(onboard_node const& shard, migration_manifest const&,
                            std::vector<std::string> const& groups, std::vector<table_state> const&,
                            onboard_options const&);
/// Removes the tables from the shard's publication. With the last table it drops the publication and the
/// reverse replication slot. Idempotent.
result<> drop_reverse(onboard_node const& shard, migration_manifest const&, std::vector<table_state> const&,
                      onboard_options const&);

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
