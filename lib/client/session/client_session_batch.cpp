// Batches of a session. Each part is counted and reported like a write.
#include "lib/client/session/session_state.hpp"
#include "lib/write/fenced_batch.hpp"

namespace shardway {
inline namespace v0 {
namespace {

result<write_receipt> as_write(batch_part const& part, std::uint64_t generation) {
  if (part.why) return *part.why;
  write_receipt made;
  made.outcome = part.state == part_state::committed ? commit_outcome_kind::committed
                                                     : commit_outcome_kind::committed_locally;
  made.id = part.id;
  made.dual_write = part.dual_write;
  made.node = part.node;
  made.generation = generation;
  made.position = part.position;
  made.retries = part.retries;
  return made;
}

}  // namespace

result<batch_receipt> client_session::execute_batch(std::string_view table, std::string_view sql,
                                                    std::span<batch_row const> rows,
                                                    batch_options const& options) {
  auto const begun = system_clock_source().now();
  auto done = execute_batch_fenced(*state_, state_->shared->dual_write, table, sql, rows, options);
  if (!done) return done;
  for (auto const& part : done.value().parts)
    state_->finished(table, begun, as_write(part, state_->shared->generations.number()));
  return done;
}

}  // namespace v0
}  // namespace shardway
