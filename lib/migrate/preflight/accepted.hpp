// Failing findings that the manifests accept. Decisions without I/O.
#pragma once

#include <string_view>
#include <vector>

#include "shardway/migrate/preflight/preflight.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {

/// The subject of a check that could not be made: what it would have found is not known.
inline constexpr std::string_view unknown_subject = "query";

/// Gives each failing finding that a manifest accepts the level `accepted` and the manifest's reason. An
/// acceptance without a subject does not cover a check that could not be made. One of a table covers findings
/// about that table alone, one of the migration those about everything.
void accept_findings(std::vector<finding>&, migration_manifest const&, std::vector<table_manifest> const&);

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
