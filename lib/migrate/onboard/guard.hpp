// The write guard on a table and its leaves.
#pragma once

#include "lib/migrate/onboard/options.hpp"
#include "lib/protocol/schema.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {

/// Brings the guard of a table to `wanted` where it is weaker on any of its relations; never weakens one that
/// refuses.
result<> raise_guard(session& node, table_state const&, write_guard wanted, onboard_options const&);

/// The write guard refuses foreign writers from here on, on every node given. Drains those already writing.
/// Errors: `deadline_exceeded` naming who holds the table's lock; tables done so far stay done.
result<> refuse_foreign_writers(std::vector<onboard_node> const& nodes, std::vector<table_state> const&,
                                onboard_options const&);
/// The write guard is taken off (finalizing: keep it on the source).
result<> drop_write_guard(onboard_node const& node, std::vector<table_state> const&, onboard_options const&);

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
