#include "lib/read/merge_sql.hpp"

#include <algorithm>

#include "lib/protocol/names.hpp"
#include "lib/read/type_oids.hpp"
#include "lib/store/text_array.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using names::quoted;

std::string number(std::uint64_t value) { return std::to_string(value); }
std::string collated(std::string expression, std::string const& collation) {
  return collation.empty() ? expression : std::move(expression) + " COLLATE " + quoted(collation);
}

std::string term_sql(order_term const& term, std::string expression) {
  auto const nulls_first = term.nulls_first.value_or(term.descending);
  auto const* const nulls = nulls_first ? " NULLS FIRST" : " NULLS LAST";
  return collated(std::move(expression), term.collation) + (term.descending ? " DESC" : "") + nulls;
}

std::string order_sql(merge_terms const& terms) {
  std::string sql;
  for (auto const& term : terms.order_by)
    sql += (sql.empty() ? " ORDER BY " : ", ") + term_sql(term, quoted(term.column));
  return sql;
}

std::string window_sql(merge_terms const& terms) {
  auto sql = terms.limit ? " LIMIT " + number(*terms.limit) : std::string{};
  if (terms.offset > 0) sql += " OFFSET " + number(terms.offset);
  return sql;
}

std::vector<std::string> partials_of(aggregate_term const& one) {
  auto const column = quoted(one.column);
  switch (one.function) {
    case aggregate_function::count_rows:
      return {"count(*)"};
    case aggregate_function::count:
      return {"count(" + column + ")"};
    case aggregate_function::sum:
      return {"sum(" + column + ")"};
    case aggregate_function::min:
      return {"min(" + collated(column, one.collation) + ")"};
    case aggregate_function::max:
      return {"max(" + collated(column, one.collation) + ")"};
    case aggregate_function::avg:
      return {"sum(" + column + ")", "count(" + column + ")"};
  }
  return {};
}

std::string partial_sql(std::string const& from_sql, merge_terms const& terms) {
  std::string list, groups;
  for (auto const& name : terms.group_by) {
    groups += (groups.empty() ? " GROUP BY " : ", ") + quoted(name);
    list += (list.empty() ? "" : ", ") + quoted(name);
  }
  std::size_t count = 0;
  for (auto const& one : terms.aggregates)
    for (auto const& partial : partials_of(one))
      list += (list.empty() ? "" : ", ") + partial + " AS shardway_" + number(++count);
  return "SELECT " + list + from_sql + groups;
}

error bad(std::string what) {
  return error{error_code::invalid_argument, "merging the rows of several nodes: " + std::move(what)};
}
error needs_collation(std::string const& column) {
  return bad("\"" + column + "\" is text, and its order is a collation's")
      .with_hint("name the collation of the term, such as \"C\" or \"default\"");
}

// The partial columns from `position` on, of one aggregate, combined.
result<std::string> final_of(aggregate_term const& one, std::size_t position, column_type const& type,
                             std::uint32_t oid) {
  auto const column = "c" + number(position + 1), next = "c" + number(position + 2);
  switch (one.function) {
    case aggregate_function::count_rows:
    case aggregate_function::count:
      return "CAST(coalesce(sum(" + column + "), 0) AS pg_catalog.int8)";
    case aggregate_function::sum:
      return "CAST(sum(" + column + ") AS " + type.name + ")";
    case aggregate_function::min:
    case aggregate_function::max:
      if (type.has_collation && one.collation.empty()) return needs_collation(one.name);
      return (one.function == aggregate_function::min ? "min(" : "max(") + collated(column, one.collation) +
             ")";
    case aggregate_function::avg: {
      auto const divided = [&](std::string const& sum, std::string const& count) {
        return "(" + sum + " / nullif(" + count + ", 0))";
      };
      if (oids::is_exact_number(oid))
        return divided("CAST(sum(" + column + ") AS pg_catalog.numeric)", "sum(" + next + ")");
      if (oid == oids::float4 || oid == oids::float8 || oid == oids::interval)
        return divided("sum(" + column + ")", "CAST(sum(" + next + ") AS pg_catalog.float8)");
      return bad("avg of the type " + type.name + " can't be combined");
    }
  }
  return bad("an aggregate of a kind that is not known");
}

// $1 ... as rows of texts.
std::string unnest_sql(std::size_t columns, bool numbered) {
  std::string arrays, labels;
  for (std::size_t i = 0; i < columns; ++i) {
    arrays += (i == 0 ? "$" : ", $") + number(i + 1) + "::text[]";
    labels += (i == 0 ? "c" : ", c") + number(i + 1);
  }
  return " FROM unnest(" + arrays + ")" + (numbered ? " WITH ORDINALITY" : "") + " AS shardway_rows (" +
         labels + (numbered ? ", shardway_row)" : ")");
}

text_value array_of(std::span<rows const> parts, std::size_t column) {
  std::vector<text_value> values;
  for (auto const& part : parts)
    for (std::size_t row = 0; row < part.size(); ++row) values.emplace_back(part.at(row, column));
  return text_array(values);
}

result<> check_order(merge_terms const& terms, std::span<column_type const> types) {
  for (auto const& term : terms.order_by) {
    auto const group = std::ranges::find(terms.group_by, term.column);
    auto const one = std::ranges::find(terms.aggregates, term.column, &aggregate_term::name);
    if (group == terms.group_by.end() && one == terms.aggregates.end())
      return bad("`order_by` names \"" + term.column +
                 "\", which is no column of `group_by` and no aggregate");
    bool const is_group = group != terms.group_by.end();
    bool const text = is_group ? types[static_cast<std::size_t>(group - terms.group_by.begin())].has_collation
                               : !one->collation.empty();
    if (text && term.collation.empty()) return needs_collation(term.column);
  }
  return success();
}

}  // namespace

std::string part_sql(std::string_view body, merge_terms const& terms, std::size_t rows_max) {
  // The line breaks end a comment that the statement ends in.
  auto const from_sql = " FROM (\n" + std::string(body) + "\n) AS shardway_part";
  auto const most = static_cast<std::uint64_t>(rows_max) + 1;
  if (terms.combines()) return partial_sql(from_sql, terms) + " LIMIT " + number(most);
  return "SELECT *" + from_sql + order_sql(terms) + " LIMIT " +
         number(terms.limit ? *terms.limit + terms.offset : most);
}

statement column_types_statement(std::span<rows::column const> columns) {
  std::vector<std::string> types;
  for (auto const& column : columns) types.push_back(number(column.type_oid));
  return {.sql =
              "SELECT pg_catalog.format_type(t.oid, -1), t.typcollation <> 0 FROM unnest($1::oid[]) WITH "
              "ORDINALITY AS w (type, place) "
              "JOIN pg_catalog.pg_type t ON t.oid = w.type ORDER BY w.place",
          .parameters = {text_array(types)},
          .name = "shardway_column_types"};
}

result<std::vector<column_type>> parse_column_types(rows const& answer, std::size_t columns) {
  if (answer.size() != columns)
    return error{error_code::protocol_violation,
                 "a server does not know the types of the columns it returned"};
  std::vector<column_type> types;
  for (std::size_t i = 0; i < columns; ++i)
    types.push_back({std::string(answer.text(i, 0)), answer.boolean(i, 1)});
  return types;
}

result<statement> combine_statement(merge_terms const& terms, std::span<rows const> parts,
                                    std::span<column_type const> types) {
  BOOST_OUTCOME_TRYV(check_order(terms, types));
  std::size_t wanted = terms.group_by.size();
  for (auto const& one : terms.aggregates) wanted += partials_of(one).size();
  if (types.size() != wanted)
    return error{error_code::invalid_argument,
                 "the statement's columns are not those of group_by and aggregates",
                 "name each column in the statement"};
  statement what;
  std::string casts, list, groups;
  for (std::size_t i = 0; i < types.size(); ++i) {
    auto const column = "c" + number(i + 1);
    casts += (i == 0 ? "CAST(" : ", CAST(") + column + " AS " + types[i].name + ") AS " + column;
    what.parameters.push_back(array_of(parts, i));
  }
  std::size_t position = 0;
  for (auto const& name : terms.group_by) {
    auto const column = "c" + number(++position);
    groups += (groups.empty() ? " GROUP BY " : ", ") + column;
    list += (list.empty() ? "" : ", ") + column + " AS " + quoted(name);
  }
  for (auto const& one : terms.aggregates) {
    BOOST_OUTCOME_TRY(auto const combined,
                      final_of(one, position, types[position], parts[0].columns()[position].type_oid));
    list += (list.empty() ? "" : ", ") + combined + " AS " + quoted(one.name);
    position += partials_of(one).size();
  }
  what.sql = "SELECT * FROM (SELECT " + list + " FROM (SELECT " + casts + unnest_sql(types.size(), false) +
             ") AS shardway_parts" + groups + ") AS shardway_all" + order_sql(terms) + window_sql(terms);
  return what;
}

result<statement> sort_statement(merge_terms const& terms, std::span<rows const> parts,
                                 std::span<column_type const> types) {
  statement what;
  std::string order;
  for (auto const& term : terms.order_by) {
    auto const column = parts[0].find(term.column);
    if (!column)
      return bad("`order_by` names the column \"" + term.column + "\", which the statement does not return");
    if (types[*column].has_collation && term.collation.empty()) return needs_collation(term.column);
    what.parameters.push_back(array_of(parts, *column));
    order +=
        term_sql(term, "CAST(c" + number(what.parameters.size()) + " AS " + types[*column].name + ")") + ", ";
  }
  what.sql = "SELECT shardway_row" + unnest_sql(what.parameters.size(), true) + " ORDER BY " + order +
             "shardway_row" + window_sql(terms);
  return what;
}

}  // namespace v0
}  // namespace shardway
