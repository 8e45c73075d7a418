// Rules that compare a shard with the source: objects that the tables need and the shard lacks.
#pragma once

#include "lib/migrate/preflight/object_findings.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {

/// Extensions, types, functions and all else that pg_depend reaches.
void judge_reached(source_objects const&, shard_objects const&, object_findings&);
/// Owners, rights in schemas, tablespaces.
void judge_places(object_manifests const&, source_objects const&, shard_objects const&, object_findings&);
/// Views, casts and other roles' rights: what statements would miss.
void judge_statements(source_objects const&, shard_objects const&, object_findings&);

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
