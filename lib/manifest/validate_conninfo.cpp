// The rules of a node's conninfo.
#include <algorithm>
#include <array>

#include "lib/manifest/checks.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using settings = std::vector<std::pair<std::string, std::string>>;

/// The value of the last setting of that keyword: it is the one libpq takes.
std::string_view value_of(settings const& all, std::string_view keyword) {
  std::string_view value;
  for (auto const& [name, text] : all)
    if (name == keyword) value = text;
  return value;
}

bool is_secret(std::string_view keyword) { return keyword == "password" || keyword == "sslpassword"; }

void check_setting(finder& found, int index, node_definition const& node, settings const& all,
                   std::size_t item) {
  auto const& keyword = all[item].first;
  auto const end = all.begin() + static_cast<std::ptrdiff_t>(item);
  if (is_secret(keyword)) {
    found.add("M017", "node.conninfo", index,
              "the conninfo of node " + shown(node.name) + " holds a " + keyword,
              "remove it: passwords come from PGPASSFILE, a service file or the environment");
  } else if (keyword == "user") {
    found.add(
        "M055", "node.conninfo", index, "the conninfo of node " + shown(node.name) + " names a user",
        "remove user: services, the controller and the mirror use one conninfo, each with its own role");
  } else if (std::any_of(all.begin(), end, [&](auto const& other) { return other.first == keyword; })) {
    found.add("M054", "node.conninfo", index,
              "the conninfo of node " + shown(node.name) + " says " + shown(keyword) + " twice",
              "keep one of them");
  }
}

void check_place(finder& found, int index, node_definition const& node, settings const& all) {
  if (!value_of(all, "service").empty()) return;
  if (value_of(all, "host").empty() && value_of(all, "hostaddr").empty())
    found.add("M052", "node.conninfo", index, "the conninfo of node " + shown(node.name) + " names no host",
              "write host=...: without it each process connects to whatever server runs beside it");
  if (value_of(all, "dbname").empty())
    found.add("M053", "node.conninfo", index,
              "the conninfo of node " + shown(node.name) + " names no database",
              "write dbname=...: without it each role connects to the database of its own name");
}

bool is_verified(std::string_view conninfo) {
  auto const all = parse_conninfo(conninfo);
  return all && value_of(*all, "sslmode") == "verify-full";
}

}  // namespace

void check_conninfo(finder& found, int index, node_definition const& node) {
  auto const all = parse_conninfo(node.conninfo);
  if (!all || all->empty()) {
    found.add("M018", "node.conninfo", index,
              "the conninfo of node " + shown(node.name) + " is missing, or not in libpq's keyword form",
              "write conninfo: \"host=... port=5432 dbname=...\"; a URI is not taken");
    return;
  }
  for (std::size_t i = 0; i < all->size(); ++i) check_setting(found, index, node, *all, i);
  check_place(found, index, node, *all);
}

bool is_same_database(std::string_view conninfo, std::string_view other) {
  if (conninfo == other) return !conninfo.empty();
  auto const a = parse_conninfo(conninfo);
  auto const b = parse_conninfo(other);
  if (!a || !b || value_of(*a, "dbname").empty() || value_of(*a, "host").empty()) return false;
  auto const port = [](settings const& all) {
    auto const said = value_of(all, "port");
    return said.empty() ? std::string_view{"5432"} : said;
  };
  constexpr std::array<std::string_view, 4> where{"host", "hostaddr", "dbname", "service"};
  return port(*a) == port(*b) && std::ranges::all_of(where, [&](auto keyword) {
           return value_of(*a, keyword) == value_of(*b, keyword);
         });
}

// An operator may have the mode in a service file, but then nobody who reads the manifest can know it.
void check_classified(finder& found, migration_manifest const& migration, table_manifest const& classified) {
  int index = 0;
  auto const check = [&](node_definition const& node) {
    if (!is_verified(node.conninfo))
      found.add("M051", "node.conninfo", index,
                "the conninfo of node " + shown(node.name) + " does not say sslmode=verify-full, and " +
                    shown(classified.table) + " has classified columns",
                "write sslmode=verify-full (and sslrootcert, unless the system's certificates do)");
    ++index;
  };
  auto const check_all = [&](node_definition const& primary) {
    check(primary);
    for (auto const& replica : primary.replicas) check(replica);
  };
  check_all(migration.source);
  for (auto const& shard : migration.shards) check_all(shard);
}

}  // namespace v0
}  // namespace shardway
