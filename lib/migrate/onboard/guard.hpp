// The write guard on a table and its leaves.
#pragma once

#include "lib/migrate/onboard/options.hpp"
#include "lib/protocol/schema.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {

/// Raises the guard of a table to `wanted` if it is weaker on any of its relations. Never weakens a guard
/// that refuses.
result<> raise_guard(session& node, table_state const&, write_guard wanted, onboard_options const&);

/// Makes the write guard refuse foreign writers from now on, on every node given. Drains those that are
/// already writing. Errors: `deadline_exceeded` naming who holds the table's lock. Tables that are done by
/// then stay done.
result<> refuse_foreign_writers(std::vector<onboard_node> const& nodes, std::vector<table_state> const&,
                                onboard_options const&);
/// Removes the write guard. When finalizing, keep it on the source.
result<> drop_write_guard(onboard_node const& node, std::vector<table_state> const&, onboard_options const&);

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
