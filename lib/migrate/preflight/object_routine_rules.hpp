// Rules for triggers and functions: when they run, what their text names.
#pragma once

#include "lib/migrate/preflight/object_findings.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {

void judge_triggers(object_manifests const&, source_objects const&, object_findings&);
/// Functions of defaults, checks, generated columns and indexes.
void judge_routines(source_objects const&, object_findings&);

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
