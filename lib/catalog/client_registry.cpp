#include "shardway/catalog/client_registry.hpp"

#include "lib/catalog/guarded.hpp"

namespace shardway {
inline namespace v0 {
namespace {

result<std::vector<client_entry>> select_clients(session& catalog, std::string_view and_where,
                                                 std::vector<text_value> parameters) {
  BOOST_OUTCOME_TRY(
      auto const found,
      catalog.query({"SELECT client_id::text, application, library_version, generation,"
                     " (extract(epoch FROM clock_timestamp() - seen_at) * 1000)::bigint FROM shardway.client"
                     " WHERE seen_at > clock_timestamp() - $1::bigint * interval '1 second'" +
                         std::string(and_where) + " ORDER BY application, client_id",
                     std::move(parameters)}));
  std::vector<client_entry> out;
  for (std::size_t row = 0; row < found.size(); ++row) {
    BOOST_OUTCOME_TRY(auto const generation, found.integer(row, 3));
    BOOST_OUTCOME_TRY(auto const silent, found.integer(row, 4));
    out.push_back({std::string(found.text(row, 0)), std::string(found.text(row, 1)),
                   std::string(found.text(row, 2)), static_cast<std::uint64_t>(generation),
                   std::chrono::milliseconds{silent}});
  }
  return out;
}

}  // namespace

result<> heartbeat_client(session& catalog, client_entry const& client) {
  BOOST_OUTCOME_TRYV(catalog.query(
      {"INSERT INTO shardway.client (client_id, application, library_version, generation) VALUES ($1::uuid, "
       "$2, $3, $4::bigint)"
       " ON CONFLICT (client_id) DO UPDATE SET generation = excluded.generation, library_version = "
       "excluded.library_version, seen_at ="
       " clock_timestamp()",
       {client.client_id, client.application, client.library_version, std::to_string(client.generation)}}));
  return success();
}

result<> leave_client(session& catalog, std::string const& client_id) {
  BOOST_OUTCOME_TRYV(catalog.query(
      {"UPDATE shardway.client SET seen_at = '-infinity' WHERE client_id = $1::uuid", {client_id}}));
  return success();
}

result<std::vector<client_entry>> list_clients(session& catalog, std::chrono::seconds expire_after) {
  return select_clients(catalog, "", {std::to_string(expire_after.count())});
}

result<std::vector<client_entry>> clients_behind(session& catalog, std::uint64_t generation,
                                                 std::chrono::seconds expire_after) {
  return select_clients(catalog, " AND generation < $2::bigint",
                        {std::to_string(expire_after.count()), std::to_string(generation)});
}

result<std::int64_t> expire_clients(session& catalog, std::int64_t token, std::chrono::seconds expire_after) {
  statement remove{
      "DELETE FROM shardway.client WHERE seen_at <= clock_timestamp() - $1::bigint * interval '1 second'",
      {std::to_string(expire_after.count())}};
  BOOST_OUTCOME_TRY(auto const answers, run_guarded(catalog, token, {std::move(remove)}));
  return answers[0].affected();
}

}  // namespace v0
}  // namespace shardway
