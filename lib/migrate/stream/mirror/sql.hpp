// The statements of a mirror on the source. Text only.
#pragma once

#include "lib/migrate/stream/followed_table.hpp"
#include "lib/migrate/stream/window.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

/// A tuple of a shard's relation in the order of `table.sent`: the shard's version column stays behind.
stream_tuple sent_tuple(followed_table const&, stream_relation const&, stream_tuple const&);

// Rows are found by primary key and shard key: a row that another shard has since inserted under the same
// primary key is not this mirror's to touch (S23). Tuples are `sent_tuple`s.
/// Inserts the row, or puts it over one with the same primary and shard key.
statement mirror_insert_statement(followed_table const&, stream_tuple const& image);
/// Updates the row that `old_row` names to `image`; columns the update left alone are not mentioned.
statement mirror_update_statement(followed_table const&, stream_tuple const& old_row,
                                  stream_tuple const& image);
statement mirror_delete_statement(followed_table const&, stream_tuple const& old_row);

/// The slot of a row that the source has authority for and that holds the same values of `expressions` as
/// this one; NULL if there is none (AP10).
statement mirror_holder_statement(followed_table const&, stream_tuple const& row,
                                  std::string const& expressions);
/// The primary key as such expressions.
std::string key_expressions(followed_table const&);

/// Deletes a row of which only the primary key is known, where its slot lies in an open window of the shard.
statement mirror_locate_statement(followed_table const& table, stream_tuple const& old_row,
                                  window_state const&);

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
