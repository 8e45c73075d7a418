#include "lib/protocol/durable_commit.hpp"

#include "lib/protocol/sql_template.hpp"
#include "sql_files.hpp"

namespace shardway {
inline namespace v0 {

std::string durable_trigger_sql(std::string const& quoted_name) {
  return fill_function(sql::durable_trigger, {{"table", sql_fragment::of_quoted(quoted_name)},
                                              {"table_name", sql_fragment::literal(quoted_name)}})
      .text();
}

statement durable_commit_statement() {
  return {.sql =
              "SELECT pg_catalog.set_config('synchronous_commit', 'local', true) WHERE "
              "pg_catalog.current_setting('synchronous_commit') OPERATOR(pg_catalog.=) 'off'",
          .name = "shardway_durable"};
}

}  // namespace v0
}  // namespace shardway
