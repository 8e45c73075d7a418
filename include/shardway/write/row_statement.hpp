// A row given by its columns becomes a statement and its shard key. Pure.
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
/// defaults or values.
using row_values = std::vector<std::pair<std::string, text_value>>;

enum class row_operation : unsigned char {
  insert,
  upsert,  ///< INSERT, or where the primary key is taken UPDATE of the other columns; never of primary key or
           ///< shard key
  update,  ///< of the row with this primary key and shard key, the other columns given
  erase,   ///< DELETE of the row with this primary key and shard key; nothing else may be given
};

/// Text and parameters of one row's statement, and what it is routed by. `key` is empty for a reference
/// table.
struct row_statement {
  std::string sql;
  std::vector<text_value> parameters;
  shard_key key;
};

/// Names are quoted; the order of columns in the text is the table's, so that the same set of columns is one
/// prepared statement. Errors, each with the column's name: `invalid_argument` (a column the table has not,
/// or twice, or a generated one; a primary-key column missing or NULL; nothing to update; a value that is no
/// key of its column's type) · `shard_key_missing`.
result<row_statement> make_row_statement(table_state const&, row_operation, row_values const&);

}  // namespace v0
}  // namespace shardway
