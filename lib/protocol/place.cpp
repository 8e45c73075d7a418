#include "lib/protocol/place.hpp"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "lib/protocol/column_lists.hpp"

namespace shardway {
inline namespace v0 {
namespace {

constexpr std::array<std::string_view, 27> exact_types{"smallint",
                                                       "integer",
                                                       "bigint",
                                                       "text",
                                                       "character varying",
                                                       "character",
                                                       "uuid",
                                                       "bytea",
                                                       "boolean",
                                                       "date",
                                                       "timestamp without time zone",
                                                       "timestamp with time zone",
                                                       "time without time zone",
                                                       "time with time zone",
                                                       "oid",
                                                       "name",
                                                       "\"char\"",
                                                       "pg_lsn",
                                                       "xid8",
                                                       "macaddr",
                                                       "macaddr8",
                                                       "inet",
                                                       "cidr",
                                                       "bit",
                                                       "bit varying",
                                                       "money",
                                                       "tid"};

// "timestamp(3) with time zone" as "timestamp with time zone".
std::string without_modifier(std::string_view type) {
  auto const first = type.find('(');
  auto const last = type.find(')', first == std::string_view::npos ? 0 : first);
  if (first == std::string_view::npos || last == std::string_view::npos) return std::string(type);
  return std::string(type.substr(0, first)) + std::string(type.substr(last + 1));
}

}  // namespace

bool key_holds_place(table_state const& table) {
  auto const& wanted = table.manifest.shard_key;
  return table.manifest.kind == table_kind::reference ||
         std::all_of(wanted.begin(), wanted.end(), [&](auto const& column) { return is_key(table, column); });
}

// width_bucket counts the edges of open ranges at or below the slot: an odd number is inside one. The array
// is made once for a statement, and the slot, which is dear in SQL, once for a row.
std::string outside_authority(std::string_view group, std::string const& slot) {
  return absl::StrCat("pg_catalog.width_bucket(", slot, ", ARRAY(SELECT e.edge FROM ", names::fence(group),
                      " AS f CROSS JOIN LATERAL (VALUES (f.slot_from), (f.slot_to + 1)) AS e (edge) WHERE "
                      "f.is_open ORDER BY e.edge)) % 2 = 0");
}

std::string outside_authority(table_state const& table, std::string const& prefix) {
  return outside_authority(table.manifest.group, slot_expression(table, prefix));
}

statement has_authority_statement(std::string_view group) {
  return {.sql = absl::StrCat("SELECT EXISTS (SELECT 1 FROM ", names::fence(group), " WHERE is_open)")};
}

bool equality_is_identity(column_state const& column) {
  auto const type = without_modifier(column.key_type());
  if (type == "numeric") return column.key_type() != type;  // with a scale, one value has one text
  return std::find(exact_types.begin(), exact_types.end(), type) != exact_types.end();
}

}  // namespace v0
}  // namespace shardway
