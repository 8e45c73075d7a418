// Copies the tables' definitions from the source to a shard. pg_dump writes them. psql first tries them in a
// transaction that is rolled back, and applies them only if nothing unexpected failed. So a crash or an error
// leaves nothing half done.
#include "lib/migrate/onboard/dump.hpp"

#include <sstream>

#include "lib/migrate/onboard/process.hpp"
#include "lib/migrate/onboard/sql.hpp"
#include "lib/store/text_array.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {
namespace {

// Schemas of the tables, their partitions and the types of their columns.
constexpr std::string_view schemas_sql =
    " SELECT DISTINCT quote_ident(n.nspname) FROM (SELECT relnamespace AS oid FROM pg_class WHERE oid IN "
    "(SELECT oid FROM ours)"
    "  UNION SELECT coalesce(e.typnamespace, t.typnamespace) FROM pg_attribute a JOIN pg_type t ON t.oid = "
    "a.atttypid LEFT JOIN pg_type e"
    " ON e.oid = t.typelem"
    "  AND t.typlen = -1 WHERE a.attrelid IN (SELECT oid FROM ours) AND a.attnum > 0 AND NOT a.attisdropped) "
    "used"
    " JOIN pg_namespace n ON n.oid = used.oid WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', "
    "'shardway') ORDER BY 1";

// Relations of those schemas that are not copied. A sequence that no table owns is copied, because a default
// may use it.
constexpr std::string_view others_sql =
    " SELECT format('%I.%I', n.nspname, c.relname), c.relkind, format('%s.%s', n.nspname, c.relname) FROM "
    "pg_class c"
    " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE quote_ident(n.nspname) = ANY ($2::text[])"
    " AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.oid NOT IN (SELECT oid FROM ours)"
    " AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid "
    "AND d.deptype = 'e')"
    " AND (c.relkind <> 'S' OR EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND "
    "d.objid = c.oid AND d.deptype"
    " IN ('a', 'i')"
    "  AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.refobjid NOT IN (SELECT oid FROM "
    "ours))) ORDER BY 1";

std::string const client_hint =
    "read the client's message with server_detail, correct the cause and run it again";

// "psql:/tmp/file:12: ERROR:  42P07": with VERBOSITY=sqlstate the line holds no row value and does not depend
// on the server's language.
struct dump_failure {
  std::size_t line{};
  std::string state;
};

std::vector<dump_failure> parse_failures(std::string const& errors, std::string const& path) {
  std::vector<dump_failure> out;
  std::istringstream lines(errors);
  for (std::string text; std::getline(lines, text);) {
    auto const mark = text.find("ERROR:  ");
    auto const place = text.find(path + ':');
    if (mark == std::string::npos || place == std::string::npos) continue;
    out.push_back(
        {static_cast<std::size_t>(std::strtoul(text.c_str() + place + path.size() + 1, nullptr, 10)),
         text.substr(mark + 8, 5)});
  }
  return out;
}

// pg_dump writes "-- Name: orders; Type: TABLE; Schema: shop; Owner: x" above each object.
struct dump_entry {
  std::string name, type;
};

std::vector<dump_entry> entries_by_line(std::string const& dump) {
  std::vector<dump_entry> out(1);  // lines count from 1
  dump_entry now;
  std::istringstream lines(dump);
  for (std::string text; std::getline(lines, text);) {
    auto const type = text.find("; Type: ");
    if (text.starts_with("-- Name: ") && type != std::string::npos)
      now = {text.substr(9, type - 9), text.substr(type + 8, text.find(';', type + 8) - type - 8)};
    out.push_back(now);
  }
  return out;
}

bool exists_already(std::string const& state) {
  return state == "42P06" || state == "42P07" || state == "42710" || state == "42723";
}
bool lacks_something(std::string const& state) {
  return state == "42P01" || state == "42704" || state == "42883";
}
bool is_routine(std::string const& type) {
  return type == "FUNCTION" || type == "PROCEDURE" || type == "AGGREGATE";
}

result<> judge_failures(std::string const& dump, std::vector<dump_failure> const& failures,
                        std::string const& node, std::vector<std::string>& skipped) {
  auto const entries = entries_by_line(dump);
  for (auto const& failure : failures) {
    if (exists_already(failure.state)) continue;
    auto const entry = failure.line < entries.size() ? entries[failure.line] : dump_entry{};
    if (lacks_something(failure.state) && is_routine(entry.type)) {
      skipped.push_back(entry.type + ' ' + entry.name + ": it needs something that is not on the shard");
      continue;
    }
    if (entry.type.empty() && failure.state == "42704")
      continue;  // a setting that a newer pg_dump knows and the shard does not
    return error{error_code::precondition_failed,
                 "creating " + entry.type + ' ' + entry.name + " on node " + node + " failed with SQLSTATE " +
                     failure.state + "; nothing was created",
                 failure.state == "42704"
                     ? "create the role, type or extension that it names on the shard first"
                     : client_hint}
        .at_node(node);
  }
  return success();
}

result<std::vector<std::string>> dump_arguments(session& source, session& shard,
                                                std::vector<table_state> const& tables,
                                                std::vector<std::string>& skipped) {
  auto const names = table_array(tables);
  BOOST_OUTCOME_TRY(auto const schemas,
                    source.query({std::string(ours_cte) + std::string(schemas_sql), {names}}));
  auto const used = column_of(schemas, 0);
  BOOST_OUTCOME_TRY(auto const others, source.query({std::string(ours_cte) + std::string(others_sql),
                                                     {names, text_array(used)}}));
  std::vector<std::string> out{"--schema-only",     "--section=pre-data", "--no-privileges",
                               "--no-publications", "--no-subscriptions", "--exclude-schema=shardway"};
  for (auto const& schema : used) out.push_back("--schema=" + schema);
  for (std::size_t row = 0; row < others.size(); ++row) {
    out.push_back("--exclude-table=" + std::string(others.text(row, 0)));
    if (others.text(row, 1) == "v" || others.text(row, 1) == "m")
      skipped.push_back("view " + std::string(others.text(row, 2)) + ": views are not copied");
  }
  BOOST_OUTCOME_TRY(
      auto const mine,
      source.query({std::string(ours_cte) + " SELECT format('%I.%I', n.nspname, c.relname) FROM ours JOIN"
                                            " pg_class c USING (oid)"
                                            " JOIN pg_namespace n ON n.oid = c.relnamespace",
                    {names}}));
  BOOST_OUTCOME_TRY(
      auto const there,
      shard.query({"SELECT name FROM unnest($1::text[]) AS n (name) WHERE to_regclass(name) IS NOT NULL",
                   {text_array(column_of(mine, 0))}}));
  for (auto const& table : column_of(there, 0)) out.push_back("--exclude-table=" + table);
  return out;
}

result<std::vector<dump_failure>> apply(onboard_node const& shard, std::string const& path,
                                        std::string const& end, onboard_options const& options) {
  std::vector<std::string> const arguments{
      "--dbname=" + shard.conninfo,
      "--no-psqlrc",
      "--quiet",
      "--no-password",
      "--set=VERBOSITY=sqlstate",
      "--set=ON_ERROR_ROLLBACK=on",
      "--command=\\set ON_ERROR_STOP on",
      "--command=BEGIN",
      "--command=SELECT shardway.engine_check(" + std::to_string(options.token) + ", 'controller')",
      "--command=\\set ON_ERROR_STOP off",
      "--file=" + path,
      "--command=" + end};
  BOOST_OUTCOME_TRY(auto const ran, run_program("psql", arguments, "/dev/null", options));
  if (ran.exit_code == 0) return parse_failures(ran.errors, path);
  if (ran.errors.find("SW006") != std::string::npos)
    return error{error_code::not_leader, "another controller has replaced this one on node " + shard.name}
        .at_node(shard.name);
  return error{error_code::precondition_failed,
               "psql ended with code " + std::to_string(ran.exit_code) + " on node " + shard.name,
               client_hint}
      .at_node(shard.name)
      .with_server({}, ran.errors);
}

}  // namespace

result<> copy_definitions(onboard_node const& source, onboard_node const& shard,
                          std::vector<table_state> const& tables, onboard_options const& options,
                          std::vector<std::string>& skipped) {
  BOOST_OUTCOME_TRY(auto arguments, dump_arguments(*source.node, *shard.node, tables, skipped));
  arguments.insert(arguments.begin(), {"--dbname=" + source.conninfo, "--no-password"});
  BOOST_OUTCOME_TRY(auto const file, scratch_file::make());
  BOOST_OUTCOME_TRY(auto const dumped, run_program("pg_dump", arguments, file.path(), options));
  if (dumped.exit_code != 0)
    return error{
        error_code::precondition_failed,
        "pg_dump ended with code " + std::to_string(dumped.exit_code) + " on node " + source.name,
        "pg_dump must not be older than the server, and the engine's role must be allowed to read the tables"}
        .at_node(source.name)
        .with_server({}, dumped.errors);
  BOOST_OUTCOME_TRY(auto const tried, apply(shard, file.path(), "ROLLBACK", options));
  BOOST_OUTCOME_TRYV(judge_failures(file.text(), tried, shard.name, skipped));
  BOOST_OUTCOME_TRYV(apply(shard, file.path(), "COMMIT", options));
  return success();
}

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
