// Rules for what stands on the tables themselves: row security, rules, columns' types, rights, and what acts
// on them from outside.
#pragma once

#include "lib/migrate/preflight/object_findings.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {

void judge_tables(object_manifests const&, source_objects const&, object_findings&);
void judge_columns(source_objects const&, object_findings&);

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
