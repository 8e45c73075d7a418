// The SQL of a batch on a shard. Text only.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "lib/migrate/stream/apply/batch.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

using change_list = std::vector<stream_change const*>;  ///< of one table

/// What names a row on the shard. Where the shard has authority for slots of the group, a row under the same
/// key may be another place's: then its slot must be none of these (AP10).
enum class row_naming : unsigned char { key, key_and_place };

/// Takes the key locks of deletes, sorted: the same locks that the guarded apply takes.
statement key_locks_statement(change_list const& deletes);
/// Deletes rows by primary key where the stored version is not newer.
statement delete_statement(change_list const& deletes, row_naming);
/// The same for one row whose slot is not known: only where its slot lies in an open window.
statement locate_statement(stream_change const&, row_naming);
/// Inserts whole images, or puts them over older versions. Locks every row it meets, also those it leaves
/// alone.
statement upsert_statement(change_list const& whole, row_naming);
/// Puts images right that have the version but not the content. Its row count is the number of corrections
/// (W12).
statement correct_statement(change_list const& same_columns, row_naming);
/// Updates the columns that the changes have: all of them lack the same ones.
statement partial_statement(change_list const& same_columns, row_naming);
/// Of the changes of an upsert or a partial update by `key_and_place`, those whose row is not on the shard:
/// position in the list, from 1; slot and version of the row of another place that holds the key, or NULL.
statement held_statement(change_list const& same_columns);
/// Of the rows of `partial_statement`, those that are not there: their positions in the list, from 1.
statement missing_statement(change_list const& same_columns);
/// The newest version among rows that hold a unique value of this change, and the slot of one that the shard
/// has authority for, or NULL; `expressions` as the server's error names them.
statement blocker_statement(stream_change const&, std::string const& expressions);
/// One row by primary key with all columns that travel, for a source session.
statement fetch_statement(stream_change const&);
/// Takes the receipts of dual writes away; its row count is the number of duplicates.
statement receipts_statement(std::span<text_value const> write_ids, std::span<text_value const> ordinals);
/// Notes tables whose changes are let go from here on: until they are copied again, the stream's position
/// proves nothing for them. A repetition adds nothing.
statement pause_statement(std::span<text_value const> relations, std::span<text_value const> reasons);
/// Takes the notes of parked changes away that the stream is past.
statement forget_parked_statement(lsn applied);

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
