// Blocks of ids: one row per table in the catalog, from which each client leases ranges that no other client
// gets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// Table and function, in the catalog. The application's role may call the function and no more, so that ids
/// never go back. Idempotent.
std::string id_block_schema_sql(std::string_view application_role);

/// Creates the row of a table, or raises it: the next block begins at `first` or later, and no id is above
/// `last`.
statement raise_id_block_statement(std::string_view table, std::int64_t first, std::int64_t last);

/// Leases `count` ids. Atomic: two leases never overlap. If the answer is lost, the block is lost too.
statement lease_ids_statement(std::string_view table, std::uint32_t count);
/// The first of them. Errors: `precondition_failed`: the table has no row yet, or fewer ids are left.
result<std::int64_t> parse_lease(rows const&, std::string_view table);

}  // namespace v0
}  // namespace shardway
