#include "lib/manifest/finding_ids.hpp"

#include <algorithm>
#include <iterator>

namespace shardway {
inline namespace v0 {
namespace {

// One a line, sorted, so that branches that add some merge.
constexpr std::string_view ids[]{
    "all_tables_publication",
    "application_grants",
    "cascade",
    "clock",
    "column_count",
    "composite_column",
    "derived_name",
    "engine_rights",
    "extension",
    "foreign_key",
    "foreign_key_rows",
    "generated_column",
    "identity_column",
    "ids",
    "inheritance",
    "installed",
    "key_generated",
    "key_index",
    "key_out_of_line",
    "key_uniqueness",
    "lookup_column",
    "old_transactions",
    "owner_membership",
    "owner_on_shard",
    "partition",
    "partition_shape",
    "prepared_transactions",
    "primary_key",
    "reachable",
    "reference_foreign_key",
    "replica_identity",
    "replication_role",
    "replication_slots",
    "reserved_name",
    "role_exists",
    "row_security",
    "sequence",
    "sequence_access",
    "sequence_by_text",
    "sequence_cycle",
    "sequence_direction",
    "sequence_in_code",
    "sequence_increment",
    "sequence_owner",
    "sequence_room",
    "sequence_shared",
    "server_version",
    "shard_key",
    "shard_key_collation",
    "shard_key_enum",
    "shard_key_generated",
    "shard_key_not_null",
    "shard_key_type",
    "slot_wal_keep",
    "table",
    "trigger",
    "trigger_into",
    "unique_index_state",
    "unique_without_shard_key",
    "wal_level",
    "wal_senders",
};
static_assert(std::is_sorted(std::begin(ids), std::end(ids)));

}  // namespace

bool is_finding_id(std::string_view id) noexcept {
  return std::binary_search(std::begin(ids), std::end(ids), id);
}

}  // namespace v0
}  // namespace shardway
