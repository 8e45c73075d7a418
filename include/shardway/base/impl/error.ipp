// Bodies of error.hpp.
#pragma once

#include <array>
#include <utility>

#include "shardway/base/error.hpp"

namespace shardway {
inline namespace v0 {
namespace error_table {

struct row {
  error_code code;
  std::string_view name;
  bool retryable;
  bool reconnect;
  bool person;  ///< the answer of `needs_operator`
};

inline constexpr std::array rows{
    // code, name, retryable, needs_reconnect, needs_operator
    row{error_code::invalid_argument, "invalid_argument", false, false, false},
    row{error_code::manifest_invalid, "manifest_invalid", false, false, true},
    row{error_code::unknown_table, "unknown_table", false, false, false},
    row{error_code::shard_key_missing, "shard_key_missing", false, false, false},
    row{error_code::shard_key_mismatch, "shard_key_mismatch", false, false, false},
    row{error_code::shard_key_change, "shard_key_change", false, false, false},
    row{error_code::statement_refused, "statement_refused", false, false, false},
    row{error_code::cross_shard, "cross_shard", false, false, false},
    row{error_code::write_id_mismatch, "write_id_mismatch", false, false, false},
    row{error_code::node_unreachable, "node_unreachable", true, true, false},
    row{error_code::authentication_failed, "authentication_failed", false, true, true},
    row{error_code::connection_lost, "connection_lost", true, true, false},
    row{error_code::deadline_exceeded, "deadline_exceeded", true, true, false},
    row{error_code::cancelled, "cancelled", false, false, false},
    row{error_code::serialization_failure, "serialization_failure", true, false, false},
    row{error_code::constraint_violation, "constraint_violation", false, false, false},
    row{error_code::permission_denied, "permission_denied", false, false, true},
    row{error_code::sql_error, "sql_error", false, false, false},
    row{error_code::protocol_violation, "protocol_violation", false, true, true},
    row{error_code::fence_closed, "fence_closed", true, false, false},
    row{error_code::epoch_stale, "epoch_stale", true, false, false},
    row{error_code::foreign_write_refused, "foreign_write_refused", false, false, true},
    row{error_code::in_doubt, "in_doubt", false, true, false},
    row{error_code::stall_budget_spent, "stall_budget_spent", true, false, false},
    row{error_code::epoch_overflow, "epoch_overflow", false, false, true},
    row{error_code::migration_ended, "migration_ended", false, false, true},
    row{error_code::not_leader, "not_leader", false, false, false},
    row{error_code::lease_held, "lease_held", true, false, false},
    row{error_code::precondition_failed, "precondition_failed", false, false, true},
    row{error_code::gate_red, "gate_red", true, false, false},
    row{error_code::wave_aborted, "wave_aborted", true, false, false},
    row{error_code::stream_broken, "stream_broken", false, false, true},
    row{error_code::schema_drift, "schema_drift", false, false, true},
    row{error_code::verification_different, "verification_different", false, false, true},
    row{error_code::could_not_tell, "could_not_tell", true, false, false},
    row{error_code::rollback_unavailable, "rollback_unavailable", false, false, true},
    row{error_code::corrupt_data, "corrupt_data", false, false, true},
    row{error_code::internal, "internal", false, false, true},
};

constexpr bool in_order() noexcept {
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (static_cast<std::size_t>(rows[i].code) != i + 1) return false;
  return rows.back().code == error_code::internal;
}
static_assert(in_order(), "the rows follow the enumeration, without a gap");

constexpr row const& of(error_code code) noexcept {
  auto const index = static_cast<std::size_t>(code) - 1;
  return index < rows.size() ? rows[index] : rows.back();
}

}  // namespace error_table

inline std::string_view name(error_code code) noexcept { return error_table::of(code).name; }
inline bool is_retryable(error_code code) noexcept { return error_table::of(code).retryable; }
inline bool needs_reconnect(error_code code) noexcept { return error_table::of(code).reconnect; }
inline bool needs_operator(error_code code) noexcept { return error_table::of(code).person; }

struct error::impl {
  error_code code;
  std::string message, hint, node, sqlstate, server_detail;
};

inline error::error(error_code code, std::string message, std::string hint)
    : impl_(std::make_shared<impl>(impl{code, std::move(message), std::move(hint), {}, {}, {}})) {}

inline error::impl const& error::get() const noexcept {
  static impl const none{error_code::internal, {}, {}, {}, {}, {}};
  return impl_ ? *impl_ : none;
}

/// A copy that may be changed before it is shared.
inline std::shared_ptr<error::impl> error::own() const { return std::make_shared<impl>(get()); }

inline error_code error::code() const noexcept { return get().code; }
inline std::string const& error::message() const noexcept { return get().message; }
inline std::string const& error::hint() const noexcept { return get().hint; }
inline std::string const& error::node() const noexcept { return get().node; }
inline std::string const& error::sqlstate() const noexcept { return get().sqlstate; }
inline std::string const& error::server_detail() const noexcept { return get().server_detail; }

inline error error::at_node(std::string node) const {
  auto copy = own();
  copy->node = std::move(node);
  error made;
  made.impl_ = std::move(copy);
  return made;
}

inline error error::with_hint(std::string hint) const {
  auto copy = own();
  copy->hint = std::move(hint);
  error made;
  made.impl_ = std::move(copy);
  return made;
}

inline error error::with_server(std::string sqlstate, std::string detail) const {
  auto copy = own();
  copy->sqlstate = std::move(sqlstate);
  copy->server_detail = std::move(detail);
  error made;
  made.impl_ = std::move(copy);
  return made;
}

inline error error::while_doing(std::string_view what) const {
  auto copy = own();
  copy->message.insert(0, std::string{what} + ": ");
  error made;
  made.impl_ = std::move(copy);
  return made;
}

inline std::string error::to_string() const {
  std::string text{name(code())};
  text.append(": ").append(message());
  if (!node().empty()) text.append(" (").append(node()).append(")");
  if (!hint().empty()) text.append("; ").append(hint());
  return text;
}

}  // namespace v0
}  // namespace shardway
