#include "shardway/client/client.hpp"

#include <algorithm>

#include "lib/client/session/client_state.hpp"
#include "lib/protocol/operation.hpp"
#include "lib/write/fenced_write.hpp"

namespace shardway {
inline namespace v0 {
namespace {

result<> check(client_options const& options) {
  using std::chrono::milliseconds;
  auto const bad = [](char const* what) {
    return error{error_code::invalid_argument, std::string("opening a client: ") + what};
  };
  if (options.source.conninfo.empty()) return bad("the source has no conninfo");
  if (options.connections_max == 0) return bad("connections_max must be above 0");
  if (options.connections_min > options.connections_max)
    return bad("connections_min must not be above connections_max");
  if (options.connect_timeout <= milliseconds{0}) return bad("connect_timeout must be above 0");
  if (options.generation_interval <= milliseconds{0}) return bad("generation_interval must be above 0");
  if (options.replica_interval <= milliseconds{0}) return bad("replica_interval must be above 0");
  if (options.stall_budget < milliseconds{0}) return bad("stall_budget may not be below 0");
  if (options.resolve_deadline <= milliseconds{0}) return bad("resolve_deadline must be above 0");
  if (options.read_threads_max == 0) return bad("read_threads_max must be above 0");
  if (options.queue_rows_max == 0) return bad("queue_rows_max must be above 0");
  if (options.report_interval <= milliseconds{0}) return bad("report_interval must be above 0");
  return success();
}

result<> check_operation_id(std::string_view id) {
  if (id.size() <= operation_id_bytes_max &&
      key_text_form::is_utf8(std::as_bytes(std::span{id.data(), id.size()})))
    return success();
  return error{error_code::invalid_argument, "an operation id is text of at most " +
                                                 std::to_string(operation_id_bytes_max) +
                                                 " bytes, in UTF-8 and without NUL"};
}

result<> check(write_options const& options) {
  if (options.deadline <= std::chrono::milliseconds{0})
    return error{error_code::invalid_argument, "a write's deadline must be above 0"};
  return check_operation_id(options.operation_id);
}

}  // namespace

client_session::client_session(std::unique_ptr<session_state> fresh) : state_(std::move(fresh)) {}
client_session::client_session(client_session&&) noexcept = default;
client_session& client_session::operator=(client_session&&) noexcept = default;
client_session::~client_session() = default;

result<write_receipt> client_session::execute(std::string_view table, shard_key const& key,
                                              std::string_view sql, std::vector<text_value> parameters,
                                              write_options const& options, std::source_location where) {
  BOOST_OUTCOME_TRYV(check(options));
  state_->observed(call_kind::execute, table, key, sql, {options.call_site, where});
  auto const begun = system_clock_source().now();
  auto done =
      execute_fenced(*state_, state_->shared->dual_write, {table, key}, sql, std::move(parameters), options);
  state_->finished(table, begun, done);
  return done;
}

result<write_receipt> client_session::write(std::string_view table, shard_key const& key,
                                            std::function<result<>(write_transaction&)> const& body,
                                            write_options const& options, std::source_location where) {
  BOOST_OUTCOME_TRYV(check(options));
  auto const begun = system_clock_source().now();
  auto const attempt = [this, &body](write_transaction& in) {
    state_->notes.clear();  // what an attempt before has touched
    return body(in);
  };
  state_->notes.clear();
  auto done = run_fenced(*state_, state_->shared->dual_write, {table, key}, attempt, options);
  if (state_->shared->options.observe)
    state_->shared->observer.transaction(state_->notes, table, key, {options.call_site, where});
  state_->finished(table, begun, done);
  return done;
}

result<read_answer> client_session::read(std::string_view table, shard_key const& key, std::string_view sql,
                                         std::vector<text_value> parameters, read_options const& options,
                                         std::source_location where) {
  state_->observed(call_kind::read, table, key, sql, {options.call_site, where});
  return read_in_session(*state_, table, key, {.sql = std::string(sql), .parameters = std::move(parameters)},
                         options);
}

std::string client_session::token() const { return state_->token.to_string(); }

void client_session::adopt(std::string_view token) {
  auto other = session_token::parse(token);
  if (!other) return;
  auto const view = state_->shared->generations.view();
  auto const& nodes = view->current.migration;
  auto const is_node = [&](std::string_view name) {
    return name == nodes.source.name || std::any_of(nodes.shards.begin(), nodes.shards.end(),
                                                    [&](auto const& shard) { return shard.name == name; });
  };
  // Names that no node has would only be carried on. A newer generation may have nodes that this client does
  // not know yet.
  if (other->generation() <= view->current.number) other->keep(is_node);
  state_->token.merge(*other);
}

client::client(std::shared_ptr<client_state> fresh) : state_(std::move(fresh)) {}
client::client(client&&) noexcept = default;
client& client::operator=(client&& other) noexcept {
  if (this != &other) {
    close();
    state_ = std::move(other.state_);
  }
  return *this;
}
client::~client() { close(); }

result<client> client::open(client_options options) {
  BOOST_OUTCOME_TRYV(check(options));
  auto made = std::make_shared<client_state>(std::move(options));
  if (made->options.observe)
    made->generations.report_with([seen = &made->observer] { return to_json(seen->report()); });
  BOOST_OUTCOME_TRYV(made->generations.start());
  made->replicas.start();
  made->maintenance.start();
  return client{std::move(made)};
}

client_session client::session() { return client_session{std::make_unique<session_state>(state_)}; }

std::uint64_t client::generation() const { return state_->generations.number(); }

result<route> client::route_of(std::string_view table, shard_key const& key) const {
  return state_->generations.view()->routes->by_key(table, key);
}

result<std::uint64_t> client::refresh() {
  auto const until = system_clock_source().now() + state_->options.stall_budget;
  BOOST_OUTCOME_TRYV(state_->generations.refresh(generation(), until));
  return generation();
}

client::counts client::totals() const {
  auto const& counted = state_->counted;
  auto const second = state_->dual_write.totals();
  return {.writes = counted.writes,
          .refusals = counted.refusals,
          .retries = counted.retries,
          .in_doubt = counted.in_doubt,
          .cross_shard = counted.cross_shard,
          .dual_writes_applied = second.applied,
          .dual_writes_pending = second.pending,
          .dual_writes_refused = second.refused,
          .reads_replica = counted.reads_replica,
          .reads_primary = counted.reads_primary,
          .reads_shard = counted.reads_shard,
          .hedges = state_->hedges.sent(),
          .hedges_won = state_->hedges.won()};
}

client_health client::health() const { return state_->generations.health(); }

std::map<std::string, client::shadow_counts> client::shadow_totals() const {
  return state_->shadows.totals();
}

call_report client::report() const { return state_->observer.report(); }

void client::close() noexcept {
  if (state_) state_->close();
}

}  // namespace v0
}  // namespace shardway
