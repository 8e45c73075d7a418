// The frame around one captured statement: the change, its row version, the shard-key check and the outbox
// rows, in one statement.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shardway/base/row_version.hpp"
#include "shardway/base/write_id.hpp"
#include "shardway/manifest/generation.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// A user's statement, taken apart by the lexer of `write`.
struct captured_statement {
  enum class operation_type : char { insert = 'i', update = 'u', remove = 'd' };
  operation_type operation{};
  std::string body;       ///< the statement up to, not including, RETURNING and the final semicolon
  std::string alias;      ///< the name its rows go by in RETURNING: alias or table name, quoted as written
  std::string returning;  ///< the user's RETURNING list with * written out, or empty
  std::size_t parameter_count{};
};

/// What the frame adds.
struct outbox_context {
  write_id id{};
  std::int32_t first_ordinal{};  ///< of this statement; rows count up from it
  shardway::epoch epoch{};
  slot_id slot{};
};

/// The columns the frame returns after the user's own: see `captured_rows`.
inline constexpr std::string_view captured_split_column = "shardway_split";

/// SQL of the frame. Parameters: the user's, then write id, first ordinal, epoch, slot, and the shard key's
/// values in order. Raises SW005 if a changed row has another shard key. With `with_outbox` false only the
/// check is added (the slot's authority is a shard, or the group is not dual written yet), and an image, of
/// version 0, is returned only `with_image`.
std::string capture_sql(captured_statement const&, table_state const&, bool with_outbox,
                        bool with_image = false);
/// The parameters that follow the user's.
std::vector<text_value> capture_parameters(outbox_context const&, std::vector<text_value> shard_key,
                                           bool with_outbox);

/// One changed row as RETURNING shows it, with its version.
struct captured_row {
  row_version version{};
  std::int32_t ordinal{};
  std::vector<text_value> image;  ///< one value per column of the table that is not generated, in order
};
/// Splits the frame's result into the user's rows and the images. Errors: `protocol_violation`.
struct captured_rows {
  rows user;
  std::vector<captured_row> changed;
};
result<captured_rows> split_captured(rows const&, captured_statement const&, table_state const&);

}  // namespace v0
}  // namespace shardway
