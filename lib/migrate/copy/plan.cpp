#include "lib/migrate/copy/plan.hpp"

#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::copy {

namespace {

std::string leading(stream::followed_table const& table) {
  return names::quoted(table.sent[table.key.front()].name);
}

std::string bound(stream::followed_table const& table, std::string const& value) {
  return names::literal(value) + "::" + table.sent[table.key.front()].type;
}

// The first key value past `chunk_rows` rows from `lower`; nothing if fewer are left.
result<std::optional<std::string>> next_bound(session& source, stream::followed_table const& table,
                                              std::optional<std::string> const& lower,
                                              std::int64_t chunk_rows) {
  auto const column = leading(table), name = names::quoted_table(table.name());
  auto const where = lower ? " WHERE " + column + " >= " + bound(table, *lower) : std::string{};
  BOOST_OUTCOME_TRY(auto const found,
                    source.query({.sql = "SELECT " + column + " FROM " + name + where + " ORDER BY " +
                                         column + " OFFSET " + std::to_string(chunk_rows) + " LIMIT 1"}));
  if (found.empty()) return std::optional<std::string>{};
  if (!lower || found.text(0, 0) != *lower) return std::optional{std::string(found.text(0, 0))};
  // A single value of the leading column fills the chunk, so the chunk ends where the next value begins.
  BOOST_OUTCOME_TRY(auto const next,
                    source.query({.sql = "SELECT " + column + " FROM " + name + " WHERE " + column + " > " +
                                         bound(table, *lower) + " ORDER BY " + column + " LIMIT 1"}));
  if (next.empty()) return std::optional<std::string>{};
  return std::optional{std::string(next.text(0, 0))};
}

}  // namespace

result<std::vector<stream::chunk_range>> plan_chunks(session& source, stream::followed_table const& table,
                                                     std::int64_t chunk_rows) {
  std::vector<stream::chunk_range> chunks{{}};
  if (stream::order_of(table) == stream::key_order::whole) return chunks;
  for (;;) {
    BOOST_OUTCOME_TRY(auto next, next_bound(source, table, chunks.back().lower, chunk_rows));
    if (!next) return chunks;
    chunks.back().upper = next;
    chunks.push_back({.lower = std::move(next), .upper = {}});
  }
}

std::string range_condition(stream::followed_table const& table, stream::key_order order,
                            stream::chunk_range const& range) {
  std::string condition;
  if (order == stream::key_order::whole) return condition;
  if (range.lower) condition += " WHERE " + leading(table) + " >= " + bound(table, *range.lower);
  if (range.upper)
    condition += (range.lower ? " AND " : " WHERE ") + leading(table) + " < " + bound(table, *range.upper);
  return condition;
}

}  // namespace migrate::copy
}  // namespace v0
}  // namespace shardway
