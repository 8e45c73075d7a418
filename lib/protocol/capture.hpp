// Capture by triggers: statement triggers on a table check the shard key of every row that the library's
// transaction changes and, while dual writing, write its outbox rows. The frame (outbox.hpp) is the
// alternative. A table's manifest chooses between them.
//
// The triggers depend only on transaction-local settings (`shardway.capture` and related ones), so a writer
// without these settings is never captured.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/protocol/outbox.hpp"
#include "lib/protocol/schema.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// Whether the table's rows are captured by triggers. The mappings of lookups are kept by the frame alone.
inline bool captures_by_trigger(table_state const& table) noexcept {
  return table.manifest.capture == capture_kind::trigger && table.manifest.kind == table_kind::sharded &&
         table.manifest.lookups.empty();
}

/// What the triggers of tables with `capture: TRIGGER` do in a transaction.
enum class trigger_duty : unsigned char {
  check,   ///< compare the shard key of every changed row with the one the transaction was routed by
  outbox,  ///< the same, and write the outbox rows
};

/// Tells the triggers of this transaction what to do, until it ends. Goes before the first savepoint.
statement capture_statement(trigger_duty, outbox_context const&, std::vector<text_value> const& shard_key);
/// Says whether the following statements of the transaction are raw, which means not framed. A raw change of
/// a table that is captured by statement is refused (SW009). Rows that triggers or cascades change are
/// allowed: they are side effects (W13).
statement raw_statement(bool raw);

/// The triggers of one table and its leaves: for `capture: TRIGGER` with transition tables, else one that
/// refuses raw changes. Idempotent; replaces those of the other kind. Takes SHARE ROW EXCLUSIVE on each
/// relation: run it with a short lock_timeout. Preconditions: the table is not a reference table.
std::string capture_triggers_sql(table_state const&, node_role, std::vector<std::string> const& leaves);
std::string drop_capture_sql(std::string_view table, std::vector<std::string> const& leaves);

/// Last statements before COMMIT of a transaction whose triggers write the outbox: deferred triggers run now,
/// and values are printed as the stream prints them, whatever the transaction has set.
std::vector<statement> before_captured_statements();
/// The rows of the table that this transaction's triggers captured, as they are now.
statement captured_rows_statement(table_state const&);

struct captured_change {
  captured_statement::operation_type operation{};
  captured_row row;
  slot_id slot{};
};
/// Reads its answer: changes in the order they were made. A row that no longer exists has only its removal. A
/// row that the transaction both inserted and deleted is left out. Errors: `protocol_violation`,
/// `schema_drift`.
result<std::vector<captured_change>> parse_captured(rows const&, table_state const&);

}  // namespace v0
}  // namespace shardway
