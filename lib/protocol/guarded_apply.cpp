#include "lib/protocol/guarded_apply.hpp"

#include <algorithm>
#include <array>

#include "lib/protocol/column_lists.hpp"

namespace shardway {
inline namespace v0 {
namespace {

constexpr std::array<std::string_view, 8> outcome_names{"applied",    "newer_present", "delivered",
                                                        "authority",  "other_epoch",   "conflict",
                                                        "other_slot", "not_permitted"};

std::string array_literal(std::vector<text_value> const& values) {
  std::string sql = "ARRAY[";
  for (auto const& value : values)
    sql += (sql.size() > 6 ? ", " : "") + (value ? names::literal(*value) : std::string("NULL"));
  return sql + "]::pg_catalog.text[]";
}

std::vector<text_value> key_values(apply_change const& change) {
  std::vector<text_value> key;
  auto const columns = sent_columns(*change.table);
  for (auto const& name : change.table->manifest.key)
    for (std::size_t i = 0; i < columns.size(); ++i)
      if (columns[i]->name == name) key.push_back(change.row->image[i]);
  return key;
}

std::string lock_call(apply_change const& change) {
  return "(shardway.key_lock_class(" + names::literal(change.table->manifest.table) +
         "), shardway.key_lock_bucket(" + array_literal(key_values(change)) + "))";
}

std::string apply_call(write_id const& id, apply_change const& change) {
  bool const remove = change.operation == captured_statement::operation_type::remove;
  return names::apply_function(change.table->manifest.table) + "('" + id.to_string() + "', " +
         std::to_string(change.row->ordinal) + ", " + std::to_string(change.row->version.bigint()) + ", " +
         std::to_string(change.slot.value()) + ", " + (remove ? "true, " : "false, ") +
         array_literal(key_values(change)) + ", " +
         (remove ? std::string("NULL") : array_literal(change.row->image)) + ")";
}

}  // namespace

std::string_view name(apply_outcome outcome) noexcept {
  return outcome_names[static_cast<std::size_t>(outcome)];
}

std::string apply_sql(write_id id, std::vector<apply_change> const& changes,
                      std::chrono::milliseconds lock_timeout) {
  // Several statements in one Query message are one transaction, and the message is executed whole or not at
  // all: a client that stops in the middle of sending it holds nothing (W6).
  std::string sql =
      "SELECT pg_catalog.set_config('synchronous_commit', 'off', true), "
      "pg_catalog.set_config('shardway.writer', 'dual_write', true), "
      // Texts are read as the source printed them, whatever this session was left with (AP17, AS27).
      "pg_catalog.set_config('DateStyle', 'ISO', true), pg_catalog.set_config('IntervalStyle', 'postgres', "
      "true), pg_catalog.set_config('TimeZone', 'UTC', true), pg_catalog.set_config('lc_monetary', 'C', "
      "true), "
      "pg_catalog.set_config('array_nulls', 'on', true), pg_catalog.set_config('xmloption', 'content', "
      "true), "
      "pg_catalog.set_config('lock_timeout', '" +
      std::to_string(lock_timeout.count()) + "ms', true), shardway.mark('dual_write');\n";
  if (changes.size() > 1) {
    // The locks first and sorted: each apply takes its own again, which costs nothing then.
    std::string locks;
    for (auto const& change : changes) locks += (locks.empty() ? "" : ", ") + lock_call(change);
    sql +=
        "SELECT pg_catalog.pg_advisory_xact_lock(class, bucket) FROM (SELECT DISTINCT class, bucket FROM "
        "(VALUES " +
        locks + ") AS v (class, bucket) ORDER BY class, bucket) AS ordered;\n";
  }
  std::string calls;
  for (auto const& change : changes)
    calls += (calls.empty() ? "SELECT unnest(ARRAY[" : ",\n") + apply_call(id, change);
  return sql + calls + "])";
}

result<std::vector<apply_outcome>> parse_apply(rows const& answer) {
  std::vector<apply_outcome> outcomes;
  for (std::size_t i = 0; i < answer.size(); ++i) {
    auto const found = std::find(outcome_names.begin(), outcome_names.end(), answer.text(i, 0));
    if (found == outcome_names.end())
      return error(error_code::protocol_violation, "the guarded apply returned an unknown outcome");
    outcomes.push_back(static_cast<apply_outcome>(found - outcome_names.begin()));
  }
  return outcomes;
}

}  // namespace v0
}  // namespace shardway
