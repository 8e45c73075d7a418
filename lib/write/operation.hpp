// Operation ids on the write path: what a call asks for as a digest, and what is known of an id from before.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "lib/write/fenced_call.hpp"

namespace shardway {
inline namespace v0 {

/// SHA-256 over id, table, key, statement and parameters, each with its length, so that no two calls run
/// together. `sql` empty: a `write`, whose statements only its function knows.
std::string operation_digest(std::string_view id, std::string_view table, shard_key const& key,
                             std::string_view sql, std::span<text_value const> parameters);

/// The claim of a call that has an operation id.
std::optional<operation_claim> operation_of(write_address const&, std::string_view sql,
                                            std::span<text_value const> parameters, write_options const&);

/// Whether this write also sweeps old records: one in 256, by its id. Pure.
bool sweeps_operations(write_id) noexcept;

/// What the node that had the slot before knows of the call's operation: nothing to do, or how the attempt
/// ends. Right as long as the fence then passes under the epoch that the target was asked with: that node's
/// range was closed, and drained, before the epoch was opened.
std::optional<attempt_result> operation_elsewhere(fenced_call&, call_target const&);
/// What an attempt comes to whose claim was refused; the session has no transaction open any more.
attempt_result operation_repeated(fenced_call&, call_target const&, lent_session const& lent);

}  // namespace v0
}  // namespace shardway
