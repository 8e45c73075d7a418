#include "lib/pg/translate.hpp"

#include <algorithm>
#include <cctype>

#include "shardway/base/sqlstate.hpp"

namespace shardway {
inline namespace v0 {
namespace pg {
namespace {

std::string_view field(PGresult const* answer, int code) noexcept {
  char const* text = answer ? PQresultErrorField(answer, code) : nullptr;
  return text ? std::string_view{text} : std::string_view{};
}

std::string detail_of(PGresult const* answer) {
  std::string detail{field(answer, PG_DIAG_MESSAGE_PRIMARY)};
  for (char const code : {PG_DIAG_MESSAGE_DETAIL, PG_DIAG_MESSAGE_HINT, PG_DIAG_CONTEXT}) {
    if (auto const text = field(answer, code); !text.empty()) detail.append("; ").append(text);
  }
  return detail;
}

// Names of tables and constraints are not row values, so they may be in a message (P4).
std::string place_of(PGresult const* answer) {
  std::string place;
  if (auto const table = field(answer, PG_DIAG_TABLE_NAME); !table.empty()) {
    place.append(", table ").append(field(answer, PG_DIAG_SCHEMA_NAME)).append(".").append(table);
  }
  if (auto const column = field(answer, PG_DIAG_COLUMN_NAME); !column.empty()) {
    place.append(", column ").append(column);
  }
  if (auto const constraint = field(answer, PG_DIAG_CONSTRAINT_NAME); !constraint.empty()) {
    place.append(", constraint ").append(constraint);
  }
  return place;
}

// In these classes the server's primary message names objects, settings and limits, but no value: what it
// found in a row stands in its DETAIL. Class 22 quotes values, and so does a syntax error.
bool holds_no_value(std::string_view state) noexcept {
  constexpr std::string_view classes[]{"0A", "23", "25", "28", "2B", "3D", "3F",
                                       "40", "42", "53", "54", "55", "57", "58"};
  if (state == "42601") return false;
  return std::find(std::begin(classes), std::end(classes), state.substr(0, 2)) != std::end(classes);
}

// A function of the application may raise any SQLSTATE with any text.
bool is_raised_by_a_function(PGresult const* answer) noexcept {
  return field(answer, PG_DIAG_SOURCE_FUNCTION) == "exec_stmt_raise";
}

std::string primary_of(PGresult const* answer, std::string_view state) {
  auto const text = field(answer, PG_DIAG_MESSAGE_PRIMARY);
  if (text.empty() || !holds_no_value(state) || is_raised_by_a_function(answer)) return {};
  return std::string{": "}.append(text);
}

// The server's message is in its own language, but the names in it are not.
bool is_ours_missing(PGresult const* answer, std::string_view state) noexcept {
  if (state != "42P01" && state != "3F000" && state != "42883") return false;
  auto const text = field(answer, PG_DIAG_MESSAGE_PRIMARY);
  constexpr std::string_view names[]{"\"shardway.", "\"shardway\"", " shardway."};
  return std::any_of(std::begin(names), std::end(names),
                     [&](auto const name) { return text.find(name) != std::string_view::npos; });
}

constexpr char ended_hint[] =
    "if shardway was uninstalled, the migration has ended: let the service use its driver without the "
    "library, on the "
    "nodes that hold the rows now; before a migration: `shardway manifest apply`";

std::string on_node(std::string_view doing, std::string const& node) {
  return std::string{doing}.append(" on node \"").append(node).append("\"");
}

// When a connection cannot be made, libpq gives only a text. In verbose form it holds "FATAL:  28P01: ...".
std::string sqlstate_in(std::string_view text) {
  auto const is_state = [](std::string_view five) {
    return std::all_of(five.begin(), five.end(),
                       [](unsigned char c) { return std::isdigit(c) || std::isupper(c); });
  };
  for (auto position = text.find(":  "); position != std::string_view::npos;
       position = text.find(":  ", position + 1)) {
    auto const rest = text.substr(position + 3);
    if (rest.size() > 6 && rest[5] == ':' && is_state(rest.substr(0, 5)))
      return std::string{rest.substr(0, 5)};
  }
  return {};
}

bool says_try_later(std::string_view sqlstate) noexcept {
  return sqlstate.starts_with("53") || sqlstate.starts_with("57");
}

}  // namespace

std::string_view sqlstate_of(PGresult const* answer) noexcept { return field(answer, PG_DIAG_SQLSTATE); }

bool is_fatal(PGresult const* answer) noexcept {
  auto const severity = field(answer, PG_DIAG_SEVERITY_NONLOCALIZED);
  return severity == "FATAL" || severity == "PANIC";
}

bool is_sync_wait_warning(PGresult const* notice) noexcept {
  // A trigger's RAISE WARNING has SQLSTATE 01000 too. The name of the server's function tells the two apart,
  // in every language.
  return sqlstate_of(notice) == "01000" && field(notice, PG_DIAG_SOURCE_FUNCTION) == "SyncRepWaitForLSN";
}

error server_error(PGresult const* answer, std::string const& node, std::string_view doing) {
  std::string const state{sqlstate_of(answer)};
  if (state.empty()) return violation_error(node, doing).with_server({}, PQresultErrorMessage(answer));
  auto code = code_of_sqlstate(state);
  if (is_fatal(answer)) code = error_code::connection_lost;
  if (is_ours_missing(answer, state))
    return error{error_code::migration_ended,
                 on_node(doing, node) + ": schema shardway, or a part of it, is not there", ended_hint}
        .at_node(node)
        .with_server(state, detail_of(answer));
  return error{code, on_node(doing, node) + " failed with SQLSTATE " + state + place_of(answer) +
                         primary_of(answer, state)}
      .at_node(node)
      .with_server(state, detail_of(answer));
}

error lost_error(PGconn const* connection, PGresult const* last, std::string const& node,
                 std::string_view doing) {
  error lost{error_code::connection_lost, "the connection broke while " + on_node(doing, node),
             "connect again"};
  std::string detail = last ? detail_of(last) : std::string{};
  if (detail.empty() && connection) detail = PQerrorMessage(connection);
  return lost.at_node(node).with_server(std::string{sqlstate_of(last)}, detail);
}

error connect_error(PGconn const* connection, std::string const& node) {
  std::string const text = connection ? PQerrorMessage(connection) : "out of memory";
  auto const state = sqlstate_in(text);
  auto const made = [&](error_code code, std::string what, std::string hint) {
    return error{code, "connecting to node \"" + node + "\": " + what, std::move(hint)}
        .at_node(node)
        .with_server(state, text);
  };
  if (state.starts_with("28") || (connection && PQconnectionNeedsPassword(connection))) {
    return made(error_code::authentication_failed, "the server refused the role or its password",
                "check the role, pg_hba.conf and where the password comes from (password file, service file "
                "or provider)");
  }
  if (state == "3D000")
    return made(error_code::invalid_argument, "the database does not exist",
                "correct dbname in the conninfo");
  if (state.empty())
    return made(error_code::node_unreachable, "no connection could be made",
                "check host, port and TLS, and that the server runs");
  if (says_try_later(state)) {
    return made(error_code::node_unreachable, "the server takes no connection now (SQLSTATE " + state + ")",
                "try again later");
  }
  return made(code_of_sqlstate(state), "refused with SQLSTATE " + state, {});
}

error deadline_error(std::string const& node, std::string_view doing) {
  return error{error_code::deadline_exceeded,
               on_node(doing, node) + " was not over by its deadline; the session is given up"}
      .at_node(node);
}

error violation_error(std::string const& node, std::string_view what) {
  return error{error_code::protocol_violation,
               on_node(what, node) + ": the server's answer was not understood"}
      .at_node(node);
}

error misuse_error(std::string const& node, std::string_view what) {
  return error{error_code::invalid_argument, on_node(what, node)}.at_node(node);
}

}  // namespace pg
}  // namespace v0
}  // namespace shardway
