// Ids that are unique across nodes.
#pragma once

#include <string>
#include <vector>

#include "lib/migrate/onboard/options.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {

/// For tables with interleaved ids: sequences of serial and identity columns step by the stride, remainder 0
/// on the source and i + 1 on shard i, each restarted above every id there was (X10). Cost: nextval waits for
/// one short transaction on the source.
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
