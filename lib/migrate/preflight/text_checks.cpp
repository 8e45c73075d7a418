#include "lib/migrate/preflight/text_checks.hpp"

#include "absl/strings/str_cat.h"
#include "lib/migrate/preflight/fix.hpp"
#include "lib/protocol/key_text.hpp"
#include "lib/protocol/names.hpp"
#include "lib/protocol/value_guard.hpp"
#include "lib/store/text_array.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {
namespace {

// The columns of the tables $1 (an array of quoted names), with the type under a domain.
constexpr std::string_view columns_sql =
    "SELECT n.table_name, n.position, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), u.type, "
    "coalesce(l.collisdeterministic, true), EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid = "
    "a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey::int2[])) FROM "
    "pg_catalog.unnest($1::text[]) WITH ORDINALITY AS n (table_name, position) JOIN pg_catalog.pg_attribute "
    "a "
    "ON a.attrelid = pg_catalog.to_regclass(n.table_name) LEFT JOIN pg_catalog.pg_collation l ON l.oid = "
    "a.attcollation CROSS JOIN LATERAL (WITH RECURSIVE under AS (SELECT t.oid, t.typtype, t.typbasetype, "
    "t.typtypmod, a.atttypmod AS modifier FROM pg_catalog.pg_type t WHERE t.oid = a.atttypid UNION ALL "
    "SELECT t.oid, t.typtype, t.typbasetype, t.typtypmod, w.typtypmod FROM under w JOIN pg_catalog.pg_type t "
    "ON t.oid = w.typbasetype WHERE w.typtype = 'd') SELECT CASE WHEN typtype = 'e' AND oid = a.atttypid "
    "THEN "
    "'text' ELSE pg_catalog.format_type(oid, modifier) END AS type FROM under WHERE typtype <> 'd') u WHERE "
    "a.attnum > 0 AND NOT a.attisdropped AND a.attname <> $2 ORDER BY n.position, a.attnum";

struct text_column {
  std::string table;  // quoted, ready for SQL
  std::string name;
  std::string type;   // as declared
  std::string under;  // under a domain, or the text of an enum
  bool is_deterministic{};
  bool is_key{};

  std::string subject() const { return absl::StrCat(table, ".", names::quoted(name)); }
};

std::vector<text_column> read_columns(context const& source) {
  std::vector<std::string> tables;
  for (auto const& table : source.tables) tables.push_back(names::quoted_table(table.table));
  auto const found = ask(source, "key_type",
                         {.sql = std::string(columns_sql),
                          .parameters = {text_array(tables), std::string(names::version_column)}});
  std::vector<text_column> columns;
  for (std::size_t row = 0; row < found.size(); ++row)
    columns.push_back({.table = std::string(found.text(row, 0)),
                       .name = std::string(found.text(row, 2)),
                       .type = std::string(found.text(row, 3)),
                       .under = std::string(found.text(row, 4)),
                       .is_deterministic = found.boolean(row, 5),
                       .is_key = found.boolean(row, 6)});
  return columns;
}

// A type that has one text for each value, and holds the usual values of the refused one.
std::string other_type(std::string_view refused) {
  if (refused == "numeric" || refused == "real" || refused == "double precision") return "numeric(38,10)";
  if (refused == "interval") return "bigint";
  if (refused == "money") return "numeric(20,2)";
  return "text";
}

std::string alter_type(text_column const& column) {
  auto const type = other_type(column.under);
  auto const name = names::quoted(column.name);
  auto const value = column.under == "interval"
                         ? absl::StrCat("pg_catalog.date_part('epoch', ", name, ")")
                         : absl::StrCat(name, "::", column.under == "money" ? "numeric" : "text");
  return fix::sql(absl::StrCat("ALTER TABLE ", column.table, " ALTER COLUMN ", name, " TYPE ", type,
                               " USING (", value, ")::", type));
}

// AP2, AP9, AP20
bool check_key_column(context const& source, text_column const& column) {
  if (!is_key_type(column.under)) {
    source.fail(
        "key_type", column.subject(),
        absl::StrCat("type ", column.type,
                     " cannot be in a key: equal values of it have several texts, or its text follows "
                     "settings"),
        alter_type(column));
    return false;
  }
  if (!column.is_deterministic) {
    source.fail("key_collation", column.subject(),
                "its collation is not deterministic: different texts are one key",
                fix::sql(absl::StrCat("ALTER TABLE ", column.table, " ALTER COLUMN ",
                                      names::quoted(column.name), " TYPE ", column.type, " COLLATE \"C\"")));
    return false;
  }
  return true;
}

void check_keys(context const& source, std::vector<text_column> const& columns) {
  bool clean = true;
  for (auto const& column : columns)
    if (column.is_key && !check_key_column(source, column)) clean = false;
  if (clean) source.pass("key_type", "primary keys", "each value has one text");
}

// AS18: the mirror could not take such a value back. The guard of the shard's table refuses it.
void check_newer_values(context const& source, std::vector<text_column> const& columns, int newest_shard) {
  std::string guarded;
  for (auto const& column : columns)
    if (!value_guard_condition(column.under, "x", source.server_version(), newest_shard).empty())
      absl::StrAppend(&guarded, guarded.empty() ? "" : ", ", column.subject());
  source.pass("newer_values", "columns",
              guarded.empty()
                  ? "no column in which shards could hold what the source cannot"
                  : "shards refuse what the source cannot hold (infinity of a newer version) in " + guarded);
}

}  // namespace

// AS11
void check_encoding(context const& checked) {
  auto const found = ask(checked, "encoding",
                         {.sql = "SELECT pg_catalog.current_setting('server_encoding'), "
                                 "pg_catalog.current_database()"});
  if (found.empty()) return;
  std::string const encoding(found.text(0, 0)), database(found.text(0, 1));
  if (encoding == "UTF8") return checked.pass("encoding", encoding, "every text can be carried");
  auto const remake = fix::any_of({fix::sql("CREATE DATABASE " + names::quoted(database + "_utf8") +
                                            " ENCODING 'UTF8' TEMPLATE template0"),
                                   "and move the tables there"});
  if (encoding == "SQL_ASCII")
    return checked.fail("encoding", encoding, "its bytes have no known meaning: they cannot be carried",
                        remake);
  if (checked.role == node_role::shard)
    return checked.fail("encoding", encoding, "a shard holds texts that others cannot: it has to be UTF8",
                        remake);
  checked.fail(
      "encoding", encoding,
      "once shards (UTF8) have authority, a text outside of it cannot come back: the way back would end",
      fix::any_of(
          {"accept: { finding: \"encoding\" reason: \"no other characters are ever written\" } in the "
           "migration's manifest, or",
           remake}));
}

void check_text(context const& source, int newest_shard_version) {
  auto const columns = read_columns(source);
  check_keys(source, columns);
  check_newer_values(source, columns, newest_shard_version);
}

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
