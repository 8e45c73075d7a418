// Operations: writes with an id from the caller, so that a repeated write takes effect once. The record
// commits with the write, on the node with authority.
//
// The record holds no values of the write: only the caller's id, a digest of the request and the number of
// changed rows. With every few hundredth write of an operation, the client deletes some records that are
// older than `operation_hours_kept`.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "shardway/base/write_id.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

inline constexpr int operation_hours_kept = 48;
inline constexpr std::size_t operation_id_bytes_max = 128;

/// The table, on every node, and the application role's rights on it. Idempotent.
std::string operation_schema_sql(std::string_view application_role);

/// Claims the id for this transaction. The second statement fails with 23505 if the id is committed, and
/// waits for a transaction that holds it. It affects one row, but none outside the first statement's
/// transaction. The reason: if BEGIN failed, each later statement in the flush commits by itself, and a claim
/// would then stand for a write that was never made.
std::array<statement, 2> claim_operation_statements(std::string_view id, std::string_view digest, write_id);
/// How many rows the operation changed; in the same transaction.
statement complete_operation_statement(std::string_view id, std::int64_t affected);
/// The record of an id: at most one row, for `parse_operation`.
statement find_operation_statement(std::string_view id);
/// Deletes at most 1,000 records that are older than `operation_hours_kept`. Waits for no lock.
statement sweep_operations_statement();

struct operation_record {
  std::string digest;
  write_id id{};
  std::int64_t affected{};
};
/// Nothing if the id has no record. Errors: `protocol_violation`.
result<std::optional<operation_record>> parse_operation(rows const&);

}  // namespace v0
}  // namespace shardway
