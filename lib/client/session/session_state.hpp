// One session of the application.
#pragma once

#include <memory>

#include "lib/authority/write_host.hpp"
#include "lib/client/session/client_state.hpp"
#include "lib/client/watch/view_reader.hpp"
#include "shardway/read/session_token.hpp"

namespace shardway {
inline namespace v0 {

/// Its token, and the write path's view of the client. Thread safety: one thread at a time.
struct session_state final : write_host {
  explicit session_state(std::shared_ptr<client_state> state) : shared(std::move(state)) {}

  result<lent_session> lend(node_index node, steady_time deadline) override {
    return shared->pools.lend(views.current()->node(node), node.is_source(), deadline);
  }
  std::string name_of(node_index node) const override { return shared->name_of(node); }
  result<lent_session> lend_aside(node_index node, steady_time deadline) override {
    return shared->lend_aside(node, deadline);
  }
  result<call_target> locate(std::string_view table, shard_key const& key) override;
  result<bool> refresh(std::uint64_t seen, steady_time deadline) override {
    return shared->generations.refresh(seen, deadline);
  }
  commit_outcome resolve(commit_question const&) override;
  void refused(call_target const&, error const&) noexcept override;
  void committed(std::string const& node, connection_facts const&, lsn position) override;
  void uncaptured(call_target const&, std::int64_t rows) noexcept override;
  void crosses_shards(call_target const&) noexcept override { ++shared->counted.cross_shard; }
  std::chrono::milliseconds stall_budget() const noexcept override { return shared->options.stall_budget; }

  void touches(std::string_view table, shard_key const* key, std::string_view sql,
               std::span<text_value const> parameters) override {
    if (shared->options.observe) shared->observer.statement(notes, table, key, sql, parameters);
  }
  void observed(call_kind kind, std::string_view table, shard_key const& key, std::string_view sql,
                call_site const& site) {
    if (shared->options.observe) shared->observer.call(kind, table, !key.empty(), sql, site);
  }

  /// Counts a write that ended and reports it to listener and meter.
  void finished(std::string_view table, steady_time begun, result<write_receipt> const& done) noexcept;

  std::shared_ptr<client_state> shared;
  view_reader views{shared->generations};
  session_token token;
  transaction_notes notes;  ///< of the `write` that runs
};

}  // namespace v0
}  // namespace shardway
