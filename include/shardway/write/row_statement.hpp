// Makes a statement and a shard key from a row that is given by its columns. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "shardway/manifest/generation.hpp"
#include "shardway/route/shard_key.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// Columns and their values in PostgreSQL's text form; nothing is NULL. Columns that are left out keep their
/// default or their value.
using row_values = std::vector<std::pair<std::string, text_value>>;

enum class row_operation : unsigned char {
  insert,
  upsert,  ///< INSERT; if the primary key is taken, UPDATE of the other columns, never of primary key or
           ///< shard key
  update,  ///< sets the other columns of the row with this primary key and shard key
  erase,   ///< DELETE of the row with this primary key and shard key; no other column may be given
};

/// The statement of one row, its parameters, and the key by which it is routed. `key` is empty for a
/// reference table.
struct row_statement {
  std::string sql;
  std::vector<text_value> parameters;
  shard_key key;
};

/// Makes the statement. Names are quoted. Columns stand in the table's order, so that the same set of columns
/// always gives the same prepared statement.
///
/// Errors, each with the column's name:
/// - `invalid_argument`: a column that the table does not have, that is given twice, or that is generated; a
///   column of the primary key that is missing or NULL; nothing to update; a value that is no key of its
///   column's type.
/// - `shard_key_missing`.
result<row_statement> make_row_statement(table_state const& table, row_operation operation,
                                         row_values const& row);

}  // namespace v0
}  // namespace shardway
