// Small helpers that the steps of onboarding share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/migrate/onboard/options.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {

/// The tables' quoted, qualified names as a text[] parameter.
std::string table_array(std::vector<table_state> const&);
/// Column `column` of every row.
std::vector<std::string> column_of(rows const&, std::size_t column);
bool contains(std::vector<std::string> const&, std::string_view) noexcept;

/// Common table expression `ours (oid, root)`: the tables of $1 (a text[] of quoted names) with all their
/// partitions.
extern std::string_view const ours_cte;

/// Runs a text as one guarded transaction. If a lock is not granted in time, retries within the retry budget.
/// Errors: `deadline_exceeded` naming who holds a lock on `relation` (quoted, qualified).
result<> run_ddl(session& node, std::string const& sql, std::string const& relation, onboard_options const&);

/// Sessions that hold a lock on the relation, each as "pid 71 (psql, 12 s)".
result<std::vector<std::string>> lock_holders(session& node, std::string const& relation);

std::string joined(std::vector<std::string> const&, std::string_view separator = ", ");

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
