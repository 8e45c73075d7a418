// Rules for settings of databases and roles and for the order of text: the same on source and shard.
#pragma once

#include "lib/migrate/preflight/object_findings.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {

/// Settings that are wrong on any node.
void judge_own_settings(object_manifests const&, node_objects const&, object_findings&);
void judge_settings(object_manifests const&, source_objects const&, shard_objects const&, object_findings&);
void judge_collations(source_objects const&, shard_objects const&, object_findings&);

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
