// A user's statement made ready for the stage its group is in, and its answer taken apart again.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "lib/authority/call_target.hpp"
#include "lib/protocol/outbox.hpp"
#include "lib/write/write_log.hpp"
#include "lib/write/write_plan.hpp"

namespace shardway {
inline namespace v0 {

struct framed_statement {
  statement what;
  std::shared_ptr<captured_statement const> capture{};  ///< empty: the statement goes unchanged
  table_state const* table{};                           ///< of a captured one
  std::shared_ptr<generation const> keeps{};            ///< what `table` points into
  bool with_outbox{};
  bool keeps_lookups{};  ///< mappings of its rows are written before COMMIT
  slot_id slot{};
  shard_id placed{};  ///< the shard that gets what was captured
};

/// Errors: `statement_refused` with a hint; `invalid_argument` (number of parameters).
result<framed_statement> frame(call_target const&, write_plan const&, outbox_context const&,
                               std::string_view sql, std::vector<text_value> parameters);

/// The user's rows; the images go to the log. Errors: those of `split_captured`.
result<rows> unframe(framed_statement const&, rows answer, write_log&);

}  // namespace v0
}  // namespace shardway
