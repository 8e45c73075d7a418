#include "shardway/catalog/request.hpp"

#include <algorithm>

#include "lib/catalog/guarded.hpp"

namespace shardway {
inline namespace v0 {
namespace {

constexpr std::string_view columns =
    "id, kind, arguments::text, requested_by, state, result::text, error_code, error_message";

result<request> request_at(rows const& found, std::size_t row) {
  request out;
  BOOST_OUTCOME_TRY(out.id, found.integer(row, 0));
  out.kind = found.text(row, 1);
  out.arguments = found.text(row, 2);
  out.requested_by = found.text(row, 3);
  auto const states = {request_state::queued, request_state::running, request_state::done,
                       request_state::failed};
  for (auto state : states)
    if (name(state) == found.text(row, 4)) out.state = state;
  out.result = found.text(row, 5);
  out.error_code = found.text(row, 6);
  out.error_message = found.text(row, 7);
  return out;
}

result<> end_request(session& catalog, std::int64_t token, std::int64_t id, statement end) {
  BOOST_OUTCOME_TRY(auto const ended,
                    run_guarded(catalog, token, {std::move(end), {"NOTIFY shardway_request_done"}}));
  if (ended[0].affected() == 1) return success();
  return error{error_code::precondition_failed, "request " + std::to_string(id) + " is not running"}.at_node(
      catalog.identity().name);
}

}  // namespace

std::string_view name(request_state state) noexcept {
  switch (state) {
    case request_state::queued:
      return "queued";
    case request_state::running:
      return "running";
    case request_state::done:
      return "done";
    case request_state::failed:
      return "failed";
  }
  return "unknown";
}

result<std::int64_t> enqueue_request(session& catalog, std::string_view kind,
                                     std::string_view arguments_json) {
  statement const insert{"INSERT INTO shardway.request (kind, arguments) VALUES ($1, $2::jsonb) RETURNING id",
                         {std::string(kind), std::string(arguments_json)}};
  BOOST_OUTCOME_TRY(auto const answers, run_transaction(catalog, {insert, {"NOTIFY shardway_request"}}));
  return answers[0].integer(0, 0);
}

result<std::optional<request>> take_request(session& catalog, std::int64_t token) {
  statement const take{
      "UPDATE shardway.request SET state = 'running' WHERE id = (SELECT id FROM shardway.request WHERE state "
      "= 'queued'"
      " ORDER BY id LIMIT 1 FOR UPDATE) RETURNING " +
      std::string(columns)};
  BOOST_OUTCOME_TRY(auto const answers, run_guarded(catalog, token, {take}));
  if (answers[0].empty()) return std::optional<request>{};
  BOOST_OUTCOME_TRY(auto taken, request_at(answers[0], 0));
  return std::optional{std::move(taken)};
}

result<> finish_request(session& catalog, std::int64_t token, std::int64_t id, std::string_view result_json) {
  return end_request(
      catalog, token, id,
      {"UPDATE shardway.request SET state = 'done', result = $2::jsonb, finished_at = clock_timestamp()"
       " WHERE id = $1::bigint AND state = 'running'",
       {std::to_string(id), std::string(result_json)}});
}

result<> fail_request(session& catalog, std::int64_t token, std::int64_t id, error const& why) {
  return end_request(catalog, token, id,
                     {"UPDATE shardway.request SET state = 'failed', error_code = $2, error_message = $3, "
                      "result = jsonb_build_object('message', $4::text, 'hint', $5::text, 'node', $6::text, "
                      "'sqlstate', $7::text, 'server_detail', $8::text), finished_at = clock_timestamp()"
                      " WHERE id = $1::bigint AND state = 'running'",
                      {std::to_string(id), std::string(name(why.code())), why.to_string(), why.message(),
                       why.hint(), why.node(), why.sqlstate(), why.server_detail()}});
}

result<std::vector<request>> recover_requests(session& catalog, std::int64_t token,
                                              std::vector<std::string> const& idempotent_kinds) {
  BOOST_OUTCOME_TRY(auto const found,
                    run_guarded(catalog, token,
                                {{"SELECT " + std::string(columns) +
                                  " FROM shardway.request WHERE state = 'running' ORDER BY id"}}));
  std::vector<request> left;
  for (std::size_t row = 0; row < found[0].size(); ++row) {
    BOOST_OUTCOME_TRY(auto one, request_at(found[0], row));
    bool const again =
        std::find(idempotent_kinds.begin(), idempotent_kinds.end(), one.kind) != idempotent_kinds.end();
    if (again) {
      BOOST_OUTCOME_TRYV(run_guarded(catalog, token,
                                     {{"UPDATE shardway.request SET state = 'queued' WHERE id = $1::bigint",
                                       {std::to_string(one.id)}}}));
    } else {
      error const why{error_code::in_doubt,
                      "the controller that served this request ended before it was done",
                      "look at the status before asking again"};
      BOOST_OUTCOME_TRYV(fail_request(catalog, token, one.id, why));
    }
    left.push_back(std::move(one));
  }
  return left;
}

result<std::optional<request>> find_request(session& catalog, std::int64_t id) {
  BOOST_OUTCOME_TRY(auto const found, catalog.query({"SELECT " + std::string(columns) +
                                                         " FROM shardway.request WHERE id = $1::bigint",
                                                     {std::to_string(id)}}));
  if (found.empty()) return std::optional<request>{};
  BOOST_OUTCOME_TRY(auto one, request_at(found, 0));
  return std::optional{std::move(one)};
}

result<request> wait_for_request(session& catalog, std::int64_t id, steady_time deadline,
                                 std::chrono::milliseconds interval) {
  auto const& clock = system_clock_source();
  for (;;) {
    BOOST_OUTCOME_TRY(auto found, find_request(catalog, id));
    if (!found)
      return error{error_code::precondition_failed, "there is no request " + std::to_string(id)}.at_node(
          catalog.identity().name);
    if (found->state == request_state::done || found->state == request_state::failed)
      return std::move(*found);
    auto const now = clock.now();
    if (now >= deadline) {
      return error{
          error_code::deadline_exceeded,
          "request " + std::to_string(id) + " (" + found->kind + ") is still " +
              std::string(name(found->state)),
          found->state == request_state::queued ? "is a controller running?" : "it goes on; ask again"};
    }
    clock.sleep_until(deadline - now > interval ? now + interval : deadline);
  }
}

}  // namespace v0
}  // namespace shardway
