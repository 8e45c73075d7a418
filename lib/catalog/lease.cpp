#include "shardway/catalog/lease.hpp"

namespace shardway {
inline namespace v0 {
namespace {

constexpr std::string_view lease_columns = "token, holder, expires_at::text, expires_at > clock_timestamp()";

controller_lease lease_of(rows const& found, std::int64_t token) {
  return {token, std::string(found.text(0, 1)), std::string(found.text(0, 2)), found.boolean(0, 3)};
}

error held_by(controller_lease const& other, session const& node) {
  return error{error_code::lease_held, "the lease is held by " + other.holder + " until " + other.expires_at,
               "wait until it ends, or stop that controller"}
      .at_node(node.identity().name);
}

error replaced(std::int64_t token, std::string const& what, session const& node) {
  return error{error_code::not_leader,
               what + ": this controller's token " + std::to_string(token) + " is no longer the newest",
               "this controller must end; the other one goes on"}
      .at_node(node.identity().name);
}

// A lease that was taken between our statement and our reading can be over again: the caller may try once
// more.
result<controller_lease> why_not(session& catalog) {
  BOOST_OUTCOME_TRY(auto found, read_lease(catalog));
  if (found) return held_by(*found, catalog);
  return error{error_code::lease_held, "the lease was taken and released meanwhile", "try again"}.at_node(
      catalog.identity().name);
}

}  // namespace

result<controller_lease> acquire_lease(session& catalog, std::string const& holder,
                                       std::chrono::milliseconds duration, std::int64_t floor) {
  if (duration.count() <= 0) return error{error_code::invalid_argument, "a lease lasts longer than 0 ms"};
  statement const take{
      "INSERT INTO shardway.lease AS held (token, holder, expires_at)"
      " VALUES (greatest($3::bigint, (SELECT max(token) FROM shardway.controller_token)) + 1, $1,"
      "         clock_timestamp() + $2::bigint * interval '1 millisecond')"
      " ON CONFLICT ON CONSTRAINT lease_pkey DO UPDATE SET token = greatest(held.token + 1, excluded.token), "
      "holder = excluded.holder,"
      "   expires_at = excluded.expires_at WHERE held.expires_at <= clock_timestamp() RETURNING " +
          std::string(lease_columns),
      {holder, std::to_string(duration.count()), std::to_string(floor)}};
  BOOST_OUTCOME_TRY(auto taken, catalog.query(take));
  if (taken.empty()) return why_not(catalog);
  BOOST_OUTCOME_TRY(auto const token, taken.integer(0, 0));
  return lease_of(taken, token);
}

result<> renew_lease(session& catalog, std::int64_t token, std::chrono::milliseconds duration) {
  BOOST_OUTCOME_TRY(
      auto const renewed,
      catalog.query({"UPDATE shardway.lease SET expires_at = clock_timestamp() + $2::bigint * interval '1"
                     " millisecond'"
                     " WHERE token = $1::bigint",
                     {std::to_string(token), std::to_string(duration.count())}}));
  if (renewed.affected() == 0) return replaced(token, "renewing the lease", catalog);
  return success();
}

result<> release_lease(session& catalog, std::int64_t token) {
  BOOST_OUTCOME_TRYV(catalog.query(
      {"UPDATE shardway.lease SET expires_at = clock_timestamp() WHERE token = $1::bigint AND expires_at >"
       " clock_timestamp()",
       {std::to_string(token)}}));
  return success();
}

result<std::optional<controller_lease>> read_lease(session& catalog) {
  BOOST_OUTCOME_TRY(auto const found,
                    catalog.query({"SELECT " + std::string(lease_columns) + " FROM shardway.lease"}));
  if (found.empty()) return std::optional<controller_lease>{};
  BOOST_OUTCOME_TRY(auto const token, found.integer(0, 0));
  return std::optional{lease_of(found, token)};
}

result<> raise_token(session& node, std::int64_t token, std::string const& holder) {
  BOOST_OUTCOME_TRY(auto const standing, node.query({"SELECT shardway.raise_token($1::bigint, $2)",
                                                     {std::to_string(token), holder}}));
  BOOST_OUTCOME_TRY(auto const held, standing.integer(0, 0));
  if (held != token) return replaced(token, "raising the token (" + std::to_string(held) + " stands)", node);
  return success();
}

result<std::int64_t> read_token(session& node) {
  BOOST_OUTCOME_TRY(auto const found,
                    node.query({"SELECT coalesce(max(token), 0) FROM shardway.controller_token"}));
  return found.integer(0, 0);
}

}  // namespace v0
}  // namespace shardway
