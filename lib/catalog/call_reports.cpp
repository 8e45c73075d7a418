#include "shardway/catalog/call_reports.hpp"

#include <algorithm>

namespace shardway {
inline namespace v0 {
namespace {

constexpr std::string_view recent =
    " FROM shardway.call_report r WHERE r.updated_at > clock_timestamp() - $1::bigint * interval '1 second'";

std::string sums_of(std::string const& source) {
  std::string sql;
  for (std::size_t i = 0; i < call_shape_count; ++i)
    sql += ", sum(coalesce((" + source + "->>'" + std::string(name(static_cast<call_shape>(i))) +
           "')::bigint, 0))::bigint";
  return sql;
}

result<call_counts> counts_at(rows const& source, std::size_t row, std::size_t column) {
  call_counts counts;
  for (std::size_t i = 0; i < call_shape_count; ++i) {
    BOOST_OUTCOME_TRY(auto const number, source.integer(row, column + i));
    counts.by_shape[i] = static_cast<std::uint64_t>(number);
  }
  return counts;
}

template <class Kind>
Kind kind_of(std::string_view text, std::initializer_list<Kind> all, Kind otherwise) {
  for (auto kind : all)
    if (name(kind) == text) return kind;
  return otherwise;
}

/// One element of an array member a row, its JSON as `e`.
std::string each_of(std::string_view member) {
  return " FROM shardway.call_report r CROSS JOIN LATERAL jsonb_array_elements(r.document->'" +
         std::string(member) +
         "') AS x(e) WHERE r.updated_at > clock_timestamp() - $1::bigint * interval '1 second'";
}

class collecting {
 public:
  collecting(session& catalog, std::chrono::seconds within)
      : catalog_(catalog), within_(std::to_string(within.count())) {}

  result<collected_reports> run() {
    BOOST_OUTCOME_TRYV(clients());
    BOOST_OUTCOME_TRYV(tables());
    BOOST_OUTCOME_TRYV(sites());
    BOOST_OUTCOME_TRYV(together());
    BOOST_OUTCOME_TRYV(rest());
    merge(out_.calls, {});  // sorted as any report is, whatever the database's collation
    return std::move(out_);
  }

 private:
  result<rows> ask(std::string sql) { return catalog_.query({std::move(sql), {within_}}); }

  result<> clients() {
    BOOST_OUTCOME_TRY(auto const found,
                      ask("SELECT application, count(*), min(started_at)::text, max(updated_at)::text" +
                          std::string(recent) + " GROUP BY application"));
    for (std::size_t row = 0; row < found.size(); ++row) {
      BOOST_OUTCOME_TRY(auto const number, found.integer(row, 1));
      out_.clients += number;
      out_.applications.emplace_back(found.text(row, 0));
      if (out_.since.empty() || found.text(row, 2) < out_.since) out_.since = found.text(row, 2);
      if (found.text(row, 3) > out_.until) out_.until = found.text(row, 3);
    }
    std::ranges::sort(out_.applications);
    return success();
  }

  result<> tables() {
    BOOST_OUTCOME_TRY(auto const found,
                      ask("SELECT e->>'table'" + sums_of("e") + sums_of("e->'other_call_sites'") +
                          each_of("tables") + " GROUP BY 1"));
    for (std::size_t row = 0; row < found.size(); ++row) {
      BOOST_OUTCOME_TRY(auto const counts, counts_at(found, row, 1));
      BOOST_OUTCOME_TRY(auto const others, counts_at(found, row, 1 + call_shape_count));
      out_.calls.tables.push_back({std::string(found.text(row, 0)), counts, others});
    }
    return success();
  }

  result<> sites() {
    using enum call_kind;
    using enum call_operation;
    BOOST_OUTCOME_TRY(auto const found, ask("SELECT e->>'table', e->>'site', e->>'call', e->>'statement'" +
                                            sums_of("e") + each_of("call_sites") + " GROUP BY 1, 2, 3, 4"));
    for (std::size_t row = 0; row < found.size(); ++row) {
      BOOST_OUTCOME_TRY(auto const counts, counts_at(found, row, 4));
      out_.calls.sites.push_back(
          {std::string(found.text(row, 0)), std::string(found.text(row, 1)),
           kind_of(found.text(row, 2), {execute, read, write}, execute),
           kind_of(found.text(row, 3), {select, insert, update, remove, other, transaction}, other), counts});
    }
    return success();
  }

  // An array's elements one below the other, for no table's name is split by a line's end.
  result<> together() {
    BOOST_OUTCOME_TRY(auto const found, ask("SELECT (SELECT string_agg(t, E'\\n' ORDER BY n) FROM "
                                            "jsonb_array_elements_text(tables) WITH ORDINALITY AS o(t, n)),"
                                            " transactions FROM (SELECT e->'tables' AS tables, "
                                            "sum((e->>'transactions')::bigint)::bigint AS transactions" +
                                            each_of("written_together") + " GROUP BY 1) AS sets"));
    for (std::size_t row = 0; row < found.size(); ++row) {
      BOOST_OUTCOME_TRY(auto const transactions, found.integer(row, 1));
      tables_together set{{}, static_cast<std::uint64_t>(transactions)};
      for (auto left = found.text(row, 0); !left.empty();) {
        auto const end = std::min(left.find('\n'), left.size());
        set.tables.emplace_back(left.substr(0, end));
        left.remove_prefix(std::min(end + 1, left.size()));
      }
      out_.calls.together.push_back(std::move(set));
    }
    return success();
  }

  result<> rest() {
    BOOST_OUTCOME_TRY(
        auto const found,
        ask("SELECT coalesce(sum((r.document->>'other_transactions')::bigint), 0)::bigint" +
            sums_of("r.document->'other_tables'") + std::string(recent) + " HAVING count(*) > 0"));
    if (found.empty()) return success();
    BOOST_OUTCOME_TRY(auto const transactions, found.integer(0, 0));
    BOOST_OUTCOME_TRY(out_.calls.other_tables, counts_at(found, 0, 1));
    out_.calls.other_transactions = static_cast<std::uint64_t>(transactions);
    return success();
  }

  session& catalog_;
  std::string within_;
  collected_reports out_;
};

}  // namespace

result<> put_call_report(session& catalog, std::string const& client_id, std::string const& application,
                         std::string const& document_json) {
  BOOST_OUTCOME_TRYV(catalog.query(
      {"SELECT shardway.report_calls($1::uuid, $2, $3::jsonb)", {client_id, application, document_json}}));
  return success();
}

result<collected_reports> collect_call_reports(session& catalog, std::chrono::seconds within) {
  return collecting{catalog, within}.run();
}

result<std::vector<foreign_writer>> list_foreign_writers(session& node, std::chrono::seconds within) {
  BOOST_OUTCOME_TRY(
      auto const found,
      node.query(
          {"SELECT relation, operation, application_name, role_name, sum(writes)::bigint, max(at)::text "
           "FROM (SELECT relation, operation, application_name, role_name, 1 AS writes, at FROM "
           "shardway.foreign_write UNION ALL SELECT relation, operation, application_name, role_name, "
           "write_count, last_at FROM shardway.foreign_writer) w GROUP BY 1, 2, 3, 4 HAVING max(at) > "
           "clock_timestamp() - $1::bigint * interval '1 second' ORDER BY 5 DESC, 1, 2, 3, 4",
           {std::to_string(within.count())}}));
  std::vector<foreign_writer> all;
  for (std::size_t row = 0; row < found.size(); ++row) {
    BOOST_OUTCOME_TRY(auto const statements, found.integer(row, 4));
    all.push_back({std::string(found.text(row, 0)), std::string(found.text(row, 1)),
                   std::string(found.text(row, 2)), std::string(found.text(row, 3)), statements,
                   std::string(found.text(row, 5))});
  }
  return all;
}

}  // namespace v0
}  // namespace shardway
