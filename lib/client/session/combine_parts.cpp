#include "lib/client/session/combine_parts.hpp"

#include <algorithm>

#include "lib/read/merge.hpp"
#include "lib/read/merge_sql.hpp"
#include "lib/read/type_oids.hpp"

namespace shardway {
inline namespace v0 {
namespace {

result<rows> combine_on_server(merge_terms const& terms, std::vector<rows> const& parts, read_host& host,
                               steady_time deadline) {
  auto const& columns = parts.front().columns();
  BOOST_OUTCOME_TRY(auto lent, host.lend_primary(deadline));
  BOOST_OUTCOME_TRY(auto const known, lent.link->query(column_types_statement(columns), deadline));
  BOOST_OUTCOME_TRY(auto const types, parse_column_types(known, columns.size()));
  if (terms.combines()) {
    BOOST_OUTCOME_TRY(auto const combine, combine_statement(terms, parts, types));
    return lent.link->query(combine, deadline);
  }
  BOOST_OUTCOME_TRY(auto const sort, sort_statement(terms, parts, types));
  BOOST_OUTCOME_TRY(auto const numbers, lent.link->query(sort, deadline));
  return pick_rows(parts, numbers);
}

}  // namespace

bool have_same_columns(rows const& one, rows const& other) {
  return std::ranges::equal(one.columns(), other.columns(), [](rows::column const& a, rows::column const& b) {
    bool const is_comparable = a.type_oid < oids::first_of_users || b.type_oid < oids::first_of_users;
    return a.name == b.name && (!is_comparable || a.type_oid == b.type_oid);
  });
}

result<rows> combine_parts(merge_terms const& terms, std::vector<rows> const& parts, read_host& first,
                           steady_time deadline) {
  BOOST_OUTCOME_TRY(auto const place, merge_place_of(terms, parts.front()));
  if (place == merge_place::here || (parts.size() == 1 && !terms.combines()))
    return merge_parts(terms, parts);
  return combine_on_server(terms, parts, first, deadline);
}

}  // namespace v0
}  // namespace shardway
