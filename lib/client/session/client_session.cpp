#include <algorithm>

#include <absl/strings/str_cat.h>

#include "lib/client/session/session_read.hpp"
#include "lib/client/session/session_state.hpp"
#include "lib/protocol/operation.hpp"
#include "lib/write/fenced_write.hpp"
#include "shardway/client/client.hpp"

namespace shardway {
inline namespace v0 {
namespace {

result<> check_operation_id(std::string_view id) {
  if (id.size() <= operation_id_bytes_max &&
      key_text_form::is_utf8(std::as_bytes(std::span{id.data(), id.size()})))
    return success();
  return error{error_code::invalid_argument,
               absl::StrCat("an operation id is text of at most ", operation_id_bytes_max,
                            " bytes, in UTF-8 and without NUL")};
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
  auto const attempt = [this, &body](write_transaction& transaction) {
    state_->notes.clear();  // forget what an earlier attempt touched
    return body(transaction);
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
  // Drop names that no node has. A token of a newer generation may name nodes that this client does not know
  // yet.
  if (other->generation() <= view->current.number) other->keep(is_node);
  state_->token.merge(*other);
}

}  // namespace v0
}  // namespace shardway
