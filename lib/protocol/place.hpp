// A key is not a place (AP10): while authority is split, two nodes may hold rows of one primary key for
// different shard keys. So whoever changes a target asks for the row's own slot beside its key. Text only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shardway/manifest/generation.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// Whether rows with equal primary keys always have the same slot: the key holds the whole shard key, or the
/// table is a reference table.
bool key_holds_place(table_state const&);

/// A condition, ready for SQL: this node has no authority for a slot of this expression. It reads the fence
/// once for each statement. Preconditions: the transaction holds the fence's lock.
std::string outside_authority(std::string_view group, std::string const& slot);
/// The same for the slot of a row with a prefix such as "t.".
std::string outside_authority(table_state const&, std::string const& prefix);

/// Whether this node has authority for any slot of the group: one boolean.
statement has_authority_statement(std::string_view group);

/// Whether two values of the type that are equal always have the same text. In citext, 'a' equals 'A', and in
/// numeric 1.0 equals 1.00: a row found by such a key may still need another one (AP20).
bool equality_is_identity(column_state const&);

}  // namespace v0
}  // namespace shardway
