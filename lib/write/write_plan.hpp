// What a write has to do, decided from where its group stands. Pure.
#pragma once

#include <chrono>
#include <optional>

#include "shardway/manifest/generation.hpp"
#include "shardway/route/placement.hpp"

namespace shardway {
inline namespace v0 {

enum class capture_level : unsigned char {
  none,    ///< the statement goes unchanged
  check,   ///< framed with the comparison of shard keys, where it can be framed
  strict,  ///< the same, and what can't be framed is refused
  outbox,  ///< framed with comparison, image and outbox rows; what can't be framed is refused
};

struct write_plan {
  bool fenced{};  ///< the fence is read first, in the same transaction
  capture_level capture{capture_level::none};
  std::optional<shard_id> dual_write{};  ///< the shard that gets the guarded apply after the source's commit
  std::chrono::milliseconds budget{0};   ///< how long the call waits for it; 0: not at all (async)
  friend bool operator==(write_plan const&, write_plan const&) = default;
};

/// Preconditions: `authority` and `placed` are the generation's for the slot of the write.
constexpr write_plan plan_write(stage at, table_kind kind, node_index authority, shard_id placed,
                                dual_write_mode mode, std::chrono::milliseconds budget) noexcept {
  if (at == stage::observing) return {};
  if (kind == table_kind::reference) return {.fenced = true};
  if (!authority.is_source() || at == stage::finalized)
    return {.fenced = true, .capture = capture_level::strict};
  if (at == stage::copying || at == stage::replicating)
    return {.fenced = true, .capture = capture_level::check};
  return {.fenced = true,
          .capture = capture_level::outbox,
          .dual_write = placed,
          .budget = mode == dual_write_mode::sync ? budget : std::chrono::milliseconds{0}};
}

}  // namespace v0
}  // namespace shardway
