// The gates `schema` and `publication` of a wave.
#pragma once

#include "lib/migrate/controller/gates.hpp"
#include "lib/migrate/controller/schema_drift.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

/// Green if generation, source and every shard have one shape; red names each difference and its way out.
/// Pure.
gate schema_gate(std::string const& group, group_drift const&);
/// Green if the publications of all nodes publish every change of the group. Pure.
gate publication_gate(std::string const& group, group_drift const&);

/// Why tables of the group have no certificate that holds for the partitions they have now. Errors: those of
/// the connection. Cost: a round trip for each table.
result<std::vector<std::string>> tree_gaps(session& catalog, std::vector<std::string> const& relations,
                                           group_drift const&);

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
