// A read of a session: the node, what it must have, and who may answer.
#include <algorithm>

#include "lib/authority/authority_wait.hpp"
#include "lib/client/reads/shard_first.hpp"
#include "lib/client/reads/version_column.hpp"
#include "lib/client/session/client_state.hpp"
#include "lib/sql/known_statement.hpp"
#include "lib/sql/statement_lexer.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds look_min{50};   // for one look, however short the wait budget
constexpr milliseconds look_pause{3};  // between two looks

steady_time now() { return system_clock_source().now(); }

class node_reads final : public read_host {
 public:
  node_reads(client_state& shared, routing_view const& view, node_index node)
      : shared_(shared), node_(view.node(node)), index_(node) {}

  result<lent_session> lend_primary(steady_time deadline) override {
    return shared_.pools.lend(node_, index_.is_source(), deadline);
  }
  result<lent_session> lend_replica(std::size_t index, steady_time deadline) override {
    return shared_.pools.lend(node_.replicas[index], false, deadline);
  }
  std::vector<replica_view> replicas() override { return shared_.replicas.of(node_); }
  void wait_for_news(steady_time deadline) override { shared_.replicas.wait_for_news(deadline); }
  std::string primary_name() const override { return node_.name; }
  std::string replica_name(std::size_t index) const override { return node_.replicas[index].name; }
  read_racer* racer() noexcept override { return &shared_.hedges; }
  void told(std::size_t index, replica_news how, std::chrono::nanoseconds took) noexcept override {
    shared_.replicas.told(node_.replicas[index].name, how, took);
  }

 private:
  client_state& shared_;
  node_definition const& node_;
  node_index index_;
};

// Needs of the same incarnation join to the higher position; a later incarnation stands above an earlier one.
void raise(read_need& need, token_position const& more) {
  if (!need.position || need.position->incarnation < more.incarnation ||
      (need.position->incarnation == more.incarnation && need.position->position < more.position))
    need.position = more;
}

read_need need_of(session_state const& in, write_target const& target, read_options const& options) {
  read_need need;
  auto const held = in.token.at(target.node_name);
  auto const newest = in.shared->replicas.newest_position(target.node_name);
  if (options.fresh == consistency::read_your_writes && held) {
    need.position = held;
    // Of another system than the node is known to be: it satisfies nothing and blocks nothing (R1).
    need.cannot_be_judged = newest && (newest->system_identifier != held->system_identifier ||
                                       newest->incarnation < held->incarnation);
  }
  if (options.fresh == consistency::bounded_staleness) {
    auto const at =
        in.shared->replicas.primary_position_since(target.node_name, now() - options.staleness_max);
    need.cannot_be_judged = !at;
    need.position = at;
  }
  // The position where this authority was opened covers every token from before; a token of the older
  // authority asks for it.
  auto const& range = generation::authority_of(*target.group, target.slot);
  bool const is_asked = options.fresh == consistency::bounded_staleness ||
                        (options.fresh == consistency::read_your_writes && !in.token.empty());
  if (is_asked && range.opened.is_set()) {
    if (newest)
      raise(need, {newest->system_identifier, newest->incarnation, range.opened});
    else
      need.cannot_be_judged = true;
  }
  return need;
}

bool is_behind(session_state const& in) { return in.token.generation() > in.shared->generations.number(); }

// A token of a newer generation: this client looks first, lest it read a node that has handed the slot over
// (R9). Where it finds nothing the fence is asked; a group that is still observing has none, and is looked
// for as long as a read may wait.
result<> catch_up(session_state& in, std::string_view table, shard_key const& key, steady_time wait_end,
                  steady_time deadline) {
  auto& generations = in.shared->generations;
  while (is_behind(in)) {
    (void)generations.refresh(generations.number(), std::min(deadline, std::max(wait_end, now() + look_min)));
    BOOST_OUTCOME_TRY(auto const target, in.locate(table, key));
    if (target.group->stage != stage::observing || now() >= wait_end) break;
    system_clock_source().sleep_until(std::min(wait_end, now() + look_pause));
  }
  return success();
}

result<> check(known_statement const& known, read_options const& options, statement_kind& kind) {
  kind = known.lexed.kind;
  if (kind != statement_kind::select && kind != statement_kind::locking_select)
    return error{error_code::statement_refused, "a read: only a SELECT is allowed here",
                 "send changes with `execute` or `write`"};
  if (options.deadline <= milliseconds{0} || options.wait_budget < milliseconds{0} ||
      options.staleness_max < milliseconds{0} || options.hedge_after < milliseconds{0})
    return error{
        error_code::invalid_argument,
        "a read's deadline must be above 0, its wait_budget, staleness_max and hedge_after not below 0"};
  return success();
}

read_answer counted(client_state& shared, read_answer answer) {
  answer.returned = without_version_column(std::move(answer.returned));
  auto& counts = shared.counted;
  ++(answer.from_shard     ? counts.reads_shard
     : answer.from_replica ? counts.reads_replica
                           : counts.reads_primary);
  if (auto const& meter = shared.options.meter)
    meter->count("shardway_reads_total",
                 answer.from_shard     ? "shard"
                 : answer.from_replica ? "replica"
                                       : "primary",
                 1);
  return answer;
}

}  // namespace

result<read_answer> read_in_session(session_state& in, std::string_view table, shard_key const& key,
                                    statement what, read_options const& options) {
  statement_kind kind{};
  auto const known = know_statement(what.sql);
  BOOST_OUTCOME_TRYV(check(*known, options, kind));
  auto const deadline = now() + options.deadline;
  what.name = known->name;
  BOOST_OUTCOME_TRYV(catch_up(in, table, key, std::min(deadline, now() + options.wait_budget), deadline));
  authority_wait wait{in, deadline, options.cancel};
  shard_readers const shards{in.shared->pools, in.shared->replicas};
  for (;;) {
    auto const view = in.views.current();
    BOOST_OUTCOME_TRY(auto const target, in.locate(table, key));
    read_request request{.what = what,
                         .options = options,
                         .need = need_of(in, target, options),
                         .turn = in.shared->turn++,
                         .deadline = deadline};
    bool const behind = in.token.generation() > view->current.number;
    bool const on_authority =
        behind || options.fresh == consistency::primary || kind == statement_kind::locking_select;
    if (on_authority && target.group->stage != stage::observing)
      request.fence = read_fence{target.group->name, target.slot, wait.expected(target)};
    if (on_authority) request.options.fresh = consistency::primary;
    if (kind == statement_kind::select && request.options.fresh != consistency::primary) {
      if (auto answer = read_from_shard(shards, target, request))
        return counted(*in.shared, std::move(*answer));
      if (auto answer = read_reference_copy(shards, target, request))
        return counted(*in.shared, std::move(*answer));
    }
    node_reads host{*in.shared, *view, target.node};
    auto answer = read_routed(host, request);
    if (answer) {
      auto told = counted(*in.shared, std::move(answer).value());
      if (kind == statement_kind::select) in.shared->shadows.answered(target, what, told);
      return told;
    }
    auto const code = answer.error().code();
    if (code != error_code::fence_closed && code != error_code::epoch_stale) return answer;
    BOOST_OUTCOME_TRYV(wait.after(target, answer.error()));
  }
}

}  // namespace v0
}  // namespace shardway
