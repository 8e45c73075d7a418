// The rules by subject; validate.cpp and validate_set.cpp call them. Not public.
#pragma once

#include "lib/manifest/rules.hpp"
#include "shardway/manifest/codec.hpp"

namespace shardway {
inline namespace v0 {

// Of one table.
void check_lookups(finder&, table_manifest const&);
void check_reads(finder&, table_manifest const&);
void check_ids(finder&, table_manifest const&);
/// M008 and the identifiers of one list. `what` names one of its items.
void check_names(finder&, std::string_view field, std::string_view what,
                 std::vector<std::string> const& names);

// Of both.
/// M070, M071.
void check_accepted(finder&, std::vector<accepted_finding> const&);

// Of the migration.
/// M017, M018 and what else a conninfo is refused for.
void check_conninfo(finder&, int index, node_definition const&);
/// Do both lead to one database? Only where both say where it is.
bool is_same_database(std::string_view conninfo, std::string_view other);
void check_pins(finder&, migration_manifest const&);
void check_catalog(finder&, migration_manifest const&);

// Across files.
void check_classified(finder& of_migration, migration_manifest const&, table_manifest const& classified);
void check_pin_lengths(finder& of_migration, migration_manifest const&, std::span<table_file const> tables);

}  // namespace v0
}  // namespace shardway
