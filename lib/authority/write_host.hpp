// What the write path needs from whoever holds connections and generations: the client, or a test.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "lib/authority/call_target.hpp"
#include "lib/authority/commit_question.hpp"
#include "lib/authority/session_lender.hpp"
#include "shardway/route/shard_key.hpp"

namespace shardway {
inline namespace v0 {
/// Thread safety: one thread at a time.
class write_host : public session_lender {
 public:
  /// The route of a key under the current generation. Errors: `unknown_table`, `shard_key_missing`,
  /// `invalid_argument`.
  virtual result<call_target> locate(std::string_view table, shard_key const& key) = 0;
  /// Polls for a generation newer than `seen` and says whether there is one. Errors: no node answered.
  virtual result<bool> refresh(std::uint64_t seen, steady_time deadline) = 0;
  /// Finds out what became of a transaction; `in_doubt` if the time did not suffice.
  virtual commit_outcome resolve(commit_question const&) = 0;
  /// A fence refused the call.
  virtual void refused(call_target const&, error const&) noexcept = 0;
  /// A write committed on the node, at or before `position`.
  virtual void committed(std::string const& node, connection_facts const&, lsn position) = 0;
  /// A transaction on the source changes rows placed on several shards. It will be refused once they have
  /// moved.
  virtual void crosses_shards(call_target const&) noexcept {}
  /// Code that borrowed the connection changed rows of the group that a dual write could not capture. Such
  /// changes are refused while the group is dual written.
  virtual void uncaptured(call_target const&, std::int64_t /*rows*/) noexcept {}
  /// A statement of a transaction is about to be sent. `key` is null if the call names none. Without SQL and
  /// key: statements follow that the library does not see.
  virtual void touches(std::string_view /*table*/, shard_key const* /*key*/, std::string_view /*sql*/,
                       std::span<text_value const> /*parameters*/) {}
  virtual std::chrono::milliseconds stall_budget() const noexcept = 0;
};

}  // namespace v0
}  // namespace shardway
