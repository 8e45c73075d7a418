#include "lib/migrate/rehearsal/scratch_database.hpp"

#include <algorithm>
#include <array>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::rehearsal {
namespace {

constexpr std::size_t migration_name_max = 32;

// With the locale of this database. Its collation provider is the default one before 15 and ICU's needs a
// locale of its own, so that only these two forms are written.
constexpr std::string_view create_sql =
    "SELECT pg_catalog.format('CREATE DATABASE %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L', "
    "$1::text, pg_catalog.pg_encoding_to_char(encoding), datcollate, datctype) FROM pg_catalog.pg_database "
    "WHERE datname OPERATOR(pg_catalog.=) pg_catalog.current_database()";

constexpr std::string_view leftovers_sql =
    "SELECT pg_catalog.quote_ident(d.datname) FROM pg_catalog.pg_database d WHERE "
    "pg_catalog.starts_with(d.datname::text, $1::text) AND NOT EXISTS (SELECT 1 FROM "
    "pg_catalog.pg_stat_activity a WHERE a.datid OPERATOR(pg_catalog.=) d.oid)";

constexpr std::string_view extensions_sql =
    "SELECT e.extname, pg_catalog.quote_ident(n.nspname), pg_catalog.format('CREATE EXTENSION IF NOT EXISTS "
    "%I SCHEMA %I VERSION %L', e.extname, n.nspname, e.extversion) FROM pg_catalog.pg_extension e JOIN "
    "pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace WHERE e.extname "
    "OPERATOR(pg_catalog.<>) 'plpgsql' ORDER BY e.oid";

constexpr std::string_view settings_sql =
    "SELECT pg_catalog.unnest(s.setconfig) FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database "
    "d "
    "ON d.oid OPERATOR(pg_catalog.=) s.setdatabase WHERE d.datname OPERATOR(pg_catalog.=) "
    "pg_catalog.current_database() AND s.setrole OPERATOR(pg_catalog.=) 0";

std::string prefix_of(std::string_view migration) {
  return absl::StrCat(std::string(scratch_prefix), std::string(migration.substr(0, migration_name_max)), "_");
}

error needs_right(connect_options const& shard, error const& failed) {
  return error{error_code::permission_denied,
               "the scratch database of a rehearsal could not be created on node " + shard.node + ": " +
                   failed.message(),
               "ALTER ROLE <engine's role> CREATEDB on that node, then rehearse again"}
      .at_node(shard.node)
      .with_server(failed.sqlstate(), failed.server_detail());
}

}  // namespace

std::string scratch_name(std::string_view migration) {
  return absl::StrCat(prefix_of(migration), absl::StrFormat("%08x", std::random_device{}()));
}

std::string setting_sql(std::string_view database, std::string_view setting) {
  constexpr std::array<std::string_view, 6> lists{"search_path",
                                                  "temp_tablespaces",
                                                  "session_preload_libraries",
                                                  "local_preload_libraries",
                                                  "shared_preload_libraries",
                                                  "unix_socket_directories"};
  auto const equals = setting.find('=');
  auto const name = setting.substr(0, equals);
  auto const value = setting.substr(std::min(equals, setting.size() - 1) + 1);
  bool const is_list = std::find(lists.begin(), lists.end(), name) != lists.end();
  return absl::StrCat("ALTER DATABASE ", names::quoted(database), " SET ", std::string(name), " = ",
                      is_list && !value.empty() ? std::string(value) : names::literal(value));
}

result<scratch_database> scratch_database::make(connect_options const& shard, std::string_view migration) {
  BOOST_OUTCOME_TRY(auto outside, connect(shard));
  BOOST_OUTCOME_TRY(auto const left, outside->query({std::string(leftovers_sql), {prefix_of(migration)}}));
  for (std::size_t row = 0; row < left.size(); ++row)
    static_cast<void>(outside->simple("DROP DATABASE IF EXISTS " + std::string(left.text(row, 0))));
  auto const name = scratch_name(migration);
  BOOST_OUTCOME_TRY(auto const create, outside->query({std::string(create_sql), {name}}));
  if (auto const made = outside->simple(std::string(create.text(0, 0))); !made)
    return needs_right(shard, made.error());
  scratch_database database{std::move(outside), name};
  BOOST_OUTCOME_TRYV(database.open(shard));
  BOOST_OUTCOME_TRYV(database.resemble());
  return database;
}

// Settings count for sessions that begin after them.
result<> scratch_database::open(connect_options const& shard) {
  BOOST_OUTCOME_TRY(auto const settings, outside_->query({std::string(settings_sql)}));
  for (std::size_t row = 0; row < settings.size(); ++row) {
    BOOST_OUTCOME_TRYV(outside_->simple(setting_sql(name_, settings.text(row, 0))));
  }
  place_ = shard;
  place_.conninfo += " dbname='" + name_ + "'";
  BOOST_OUTCOME_TRY(inside_, connect(place_));
  return success();
}

result<> scratch_database::resemble() {
  BOOST_OUTCOME_TRY(auto const extensions, outside_->query({std::string(extensions_sql)}));
  for (std::size_t row = 0; row < extensions.size(); ++row) {
    auto const made =
        inside_->simple(absl::StrCat("CREATE SCHEMA IF NOT EXISTS ", std::string(extensions.text(row, 1)),
                                     "; ", std::string(extensions.text(row, 2))));
    if (!made)
      missing_extensions_.push_back(
          absl::StrCat(std::string(extensions.text(row, 0)), ": ", made.error().message()));
  }
  return success();
}

result<> scratch_database::admit_owner(std::string const& owner) {
  auto const role = names::quoted(owner);
  BOOST_OUTCOME_TRYV(inside_->simple(absl::StrCat("GRANT CREATE ON DATABASE ", names::quoted(name_), " TO ",
                                                  role, "; GRANT USAGE, CREATE ON SCHEMA public TO ", role)));
  return success();
}

scratch_database::~scratch_database() {
  if (!outside_) return;
  inside_.reset();
  // FORCE also ends an autovacuum worker that looks at it just now.
  static_cast<void>(outside_->simple("DROP DATABASE IF EXISTS " + names::quoted(name_) + " WITH (FORCE)"));
}

}  // namespace migrate::rehearsal
}  // namespace v0
}  // namespace shardway
