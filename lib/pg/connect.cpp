#include "shardway/pg/connect.hpp"

#include <charconv>
#include <utility>
#include <vector>

#include <poll.h>

#include "lib/pg/connection.hpp"
#include "lib/pg/pg_session.hpp"
#include "lib/pg/translate.hpp"

namespace shardway {
inline namespace v0 {
namespace pg {
namespace {

using parameters = std::vector<std::pair<std::string, std::string>>;

// Decoding and COPY print values by these settings (V4), and search_path decides which object a name means
// (P2). So each connection sets them; the role and the database do not decide.
constexpr char settings[] =
    "SET search_path = pg_catalog, pg_temp; SET client_encoding = 'UTF8'; SET TimeZone = 'UTC'; SET "
    "DateStyle = 'ISO'; "
    "SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'; SET extra_float_digits = 3; SET "
    "standard_conforming_strings = on; "
    "SET default_transaction_isolation = 'read committed'; ";

constexpr char identity_query[] =
    "SELECT system_identifier, current_setting('server_version_num'), pg_backend_pid(), '' FROM "
    "pg_catalog.pg_control_system()";

// AP21, AS27, AF10, AP1: what else a role or a database may have set that changes what our own sessions read
// and write, or ends it early. A setting of newer servers only is set where it is known. Where row security
// would hide rows, `off` makes it an error.
constexpr char settings_of_library[] =
    "SET array_nulls = on; SET lc_monetary = 'C'; SET xmloption = content; SET transform_null_equals = off; "
    "SET quote_all_identifiers = off; SET row_security = off; SET default_transaction_read_only = off; "
    "SET default_transaction_deferrable = off; SET statement_timeout = 0; SET lock_timeout = 0; "
    "SET idle_in_transaction_session_timeout = 0; "
    "SELECT pg_catalog.set_config(w.name, w.wanted, false) FROM (VALUES ('idle_session_timeout', '0'), "
    "('transaction_timeout', '0')) AS w(name, wanted) WHERE pg_catalog.current_setting(w.name, true) IS NOT "
    "NULL; "
    "SELECT pg_catalog.set_config('synchronous_commit', 'on', false) WHERE "
    "pg_catalog.current_setting('synchronous_commit') OPERATOR(pg_catalog.=) 'off'; ";

std::string setting_up(connection_use use) {
  return std::string(settings) + (use == connection_use::application ? "" : settings_of_library) +
         identity_query;
}

// A pooler in transaction mode gives each transaction another server connection. So nothing is set; the
// settings that differ are named.
constexpr char settings_of_pooled[] =
    "SELECT system_identifier, pg_catalog.current_setting('server_version_num'), 0, (SELECT "
    "coalesce(pg_catalog.string_agg(w.name, ', '), '') "
    "FROM (VALUES ('search_path', 'pg_catalog,pg_temp'), ('client_encoding', 'utf8'), ('TimeZone', 'utc'), "
    "('IntervalStyle', 'postgres'), "
    "('bytea_output', 'hex'), ('standard_conforming_strings', 'on'), ('default_transaction_isolation', "
    "'readcommitted')) AS w(name, wanted) "
    "WHERE pg_catalog.lower(pg_catalog.replace(pg_catalog.current_setting(w.name), ' ', '')) "
    "OPERATOR(pg_catalog.<>) w.wanted) "
    "|| CASE WHEN pg_catalog.lower(pg_catalog.current_setting('DateStyle')) OPERATOR(pg_catalog.~~) 'iso%' "
    "THEN '' ELSE ' DateStyle' END "
    "|| CASE WHEN pg_catalog.current_setting('extra_float_digits')::int OPERATOR(pg_catalog.>) 0 THEN '' "
    "ELSE ' extra_float_digits' END "
    "FROM pg_catalog.pg_control_system()";

struct free_options {
  void operator()(PQconninfoOption* options) const noexcept { PQconninfoFree(options); }
};

error refused(connect_options const& options, std::string what, std::string hint = {}) {
  return error{error_code::invalid_argument,
               "connecting to node \"" + options.node + "\": " + std::move(what), std::move(hint)}
      .at_node(options.node);
}

result<parameters> parse_conninfo(connect_options const& options) {
  char* why{};
  std::unique_ptr<PQconninfoOption, free_options> const parsed{
      PQconninfoParse(options.conninfo.c_str(), &why)};
  memory_ptr<char> const owned{why};
  // libpq's text quotes the conninfo, so it must not be in the message (P4).
  if (!parsed)
    return refused(options, "the conninfo is not in libpq's form",
                   "write it as \"host=... port=... dbname=... user=...\"");
  parameters found;
  for (auto const* option = parsed.get(); option->keyword; ++option) {
    if (!option->val) continue;
    std::string_view const keyword = option->keyword;
    if (keyword == "password" || keyword == "sslpassword") {
      return refused(options, "the conninfo holds a password",
                     "use a password file, a service file or password_provider");
    }
    if (keyword != "replication" && keyword != "application_name" && keyword != "client_encoding")
      found.emplace_back(keyword, option->val);
  }
  return found;
}

result<parameters> parameters_for(connect_options const& options, connection_use use) {
  if (options.connect_timeout <= std::chrono::milliseconds::zero())
    return refused(options, "connect_timeout must be above 0");
  BOOST_OUTCOME_TRY(auto found, parse_conninfo(options));
  found.emplace_back("application_name", options.application_name);
  found.emplace_back("client_encoding", "UTF8");
  if (use == connection_use::replication) found.emplace_back("replication", "database");
  if (options.password_provider) {  // asked at each connect, because a secret may be rotated (P5)
    BOOST_OUTCOME_TRY(auto password, options.password_provider());
    found.emplace_back("password", std::move(password));
  }
  return found;
}

raw_ptr start(parameters const& found) {
  std::vector<char const*> keywords;
  std::vector<char const*> values;
  for (auto const& [keyword, value] : found) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  raw_ptr raw{PQconnectStartParams(keywords.data(), values.data(), 0)};
  // Only libpq's verbose text holds the SQLSTATE of a refused connection.
  if (raw) PQsetErrorVerbosity(raw.get(), PQERRORS_VERBOSE);
  return raw;
}

result<raw_ptr> establish(parameters const& found, connect_options const& options, steady_time deadline) {
  auto raw = start(found);
  if (!raw || PQstatus(raw.get()) == CONNECTION_BAD) return connect_error(raw.get(), options.node);
  auto next = PGRES_POLLING_WRITING;
  while (next == PGRES_POLLING_READING || next == PGRES_POLLING_WRITING) {
    short const events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    if (wait_socket(PQsocket(raw.get()), events, deadline) != waited::ready) {
      return error{error_code::node_unreachable,
                   "connecting to node \"" + options.node + "\": not done within connect_timeout",
                   "check host, port and the network"}
          .at_node(options.node);
    }
    next = PQconnectPoll(raw.get());
  }
  if (next != PGRES_POLLING_OK) return connect_error(raw.get(), options.node);
  return raw;
}

template <class Integer>
Integer number_in(PGresult const* answer, int column) {
  std::string_view const text = PQgetvalue(answer, 0, column);
  Integer value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

error unfit(connect_options const& options, std::string names) {
  return error{
      error_code::precondition_failed,
      "connecting to node \"" + options.node +
          "\" through a pooler in transaction mode: the role has other settings than the library needs: " +
          std::move(names),
      "as administrator: ALTER ROLE <role> SET search_path = pg_catalog, pg_temp; ALTER ROLE <role> SET "
      "TimeZone = 'UTC' (and so on for "
      "the settings named), then RECONNECT in the pooler"}
      .at_node(options.node);
}

}  // namespace

result<made_connection> make_connection(connect_options const& options, connection_use use) {
  auto const deadline = system_clock_source().now() + options.connect_timeout;
  BOOST_OUTCOME_TRY(auto const found, parameters_for(options, use));
  BOOST_OUTCOME_TRY(auto raw, establish(found, options, deadline));
  auto link = std::make_shared<connection>(std::move(raw), options.node);
  bool const is_pooled = options.path == connection_path::transaction_pooler;
  BOOST_OUTCOME_TRY(auto answer, run_simple(*link, is_pooled ? settings_of_pooled : setting_up(use), deadline,
                                            "setting up the session"));
  if (PQntuples(answer.get()) != 1 || PQnfields(answer.get()) != 4)
    return violation_error(options.node, "setting up the session");
  if (std::string names = PQgetvalue(answer.get(), 0, 3); !names.empty())
    return unfit(options, std::move(names));
  // From the server. Behind a pooler, libpq knows only a number of the pooler.
  node_identity identity{options.node, number_in<std::uint64_t>(answer.get(), 0),
                         number_in<int>(answer.get(), 1), number_in<int>(answer.get(), 2)};
  return made_connection{std::move(link), std::move(identity)};
}

}  // namespace pg

result<std::unique_ptr<session>> connect(connect_options const& options) {
  BOOST_OUTCOME_TRY(auto made, pg::make_connection(options, pg::connection_use::sql));
  return std::unique_ptr<session>{
      std::make_unique<pg::pg_session>(std::move(made.link), std::move(made.identity), options.path)};
}

}  // namespace v0
}  // namespace shardway
