// Between our structs and the generated messages. Not public.
#pragma once

#include "manifest.pb.h"
#include "shardway/manifest/generation.hpp"

namespace shardway {
inline namespace v0 {

files::Table to_message(table_manifest const&);
files::Migration to_message(migration_manifest const&);
files::Generation to_message(generation const&);

table_manifest from_message(files::Table const&);
migration_manifest from_message(files::Migration const&);
/// Errors: `corrupt_data`, naming what contradicts what.
result<generation> from_message(files::Generation const&);

}  // namespace v0
}  // namespace shardway
