// The rules of manifests, as pure functions. They need no server; the preflight checks what only a server can
// tell.
#pragma once

#include <span>
#include <vector>

#include "shardway/manifest/codec.hpp"

namespace shardway {
inline namespace v0 {

/// The findings of one manifest. Positions, if given, are those of the file it came from.
std::vector<manifest_finding> validate(table_manifest const&, std::string const& file = {},
                                       field_positions const& = {});
std::vector<manifest_finding> validate(migration_manifest const&, std::string const& file = {},
                                       field_positions const& = {});

/// All findings of a migration: those of each file, then those of the rules that span files. Empty if the set
/// may be used.
std::vector<manifest_finding> validate_set(migration_file const& migration,
                                           std::span<table_file const> tables);

}  // namespace v0
}  // namespace shardway
