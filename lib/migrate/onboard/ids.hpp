// Ids that are unique across nodes.
#pragma once

#include <string>
#include <vector>

#include "lib/migrate/onboard/options.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {

/// Refuses interleaved ids that would be used up soon, with the figures, before anything changes: each node
/// gets one part of `stride` of what is left below the column's and the sequence's maximum (AS26). Errors:
/// `precondition_failed`. Cost: the highest value of each column.
result<> check_id_room(onboard_node const& source, std::size_t shard_count, std::vector<table_state> const&,
                       onboard_options const&);

/// For tables with interleaved ids: their sequences (of serial and identity columns, of defaults, and named
/// in functions of defaults and triggers) step by the stride times what they stepped by before, remainder 0
/// on the source and i + 1 times the former step on shard i, each restarted above every id there was (X10).
/// The former steps are kept in shardway.sequence_increment on the source. Sequences of other tables are
/// raised on shards to what the source has given. Cost: nextval waits for one short transaction on the
/// source.
result<> prepare_ids(onboard_node const& source, std::vector<onboard_node> const& shards,
                     std::vector<table_state> const&, onboard_options const&);

/// For tables with ids LEASED or SLOT: the row in the catalog that clients lease blocks from, above the
/// highest id and what the column's sequences have given, with `id_margin` for LEASED. From then on new ids
/// come only from there. The sequences stay as they are, and nothing reads them. Errors:
/// `precondition_failed`: the primary key is not one integer column (SLOT: bigint), or a row's id does not
/// carry its slot (SLOT). Cost: the highest key; for SLOT a scan of the table.
result<> prepare_id_blocks(onboard_node const& source, std::vector<table_state> const&,
                           onboard_options const&);

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
