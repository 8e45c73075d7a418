// The rules a manifest keeps, as pure functions. They know nothing of a server: what a server says is the
// preflight's.
#pragma once

#include <span>
#include <vector>

#include "shardway/manifest/codec.hpp"

namespace shardway {
inline namespace v0 {

/// The rules of one manifest. Positions, where given, are those of the file it came from.
std::vector<manifest_finding> validate(table_manifest const&, std::string const& file = {},
                                       field_positions const& = {});
std::vector<manifest_finding> validate(migration_manifest const&, std::string const& file = {},
                                       field_positions const& = {});

/// Everything wrong with a migration: the findings of each file, then the rules that span files. Empty: the
/// set may be used.
std::vector<manifest_finding> validate_set(migration_file const& migration,
                                           std::span<table_file const> tables);

}  // namespace v0
}  // namespace shardway
