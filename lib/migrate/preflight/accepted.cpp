#include "lib/migrate/preflight/accepted.hpp"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {
namespace {

bool covers(accepted_finding const& accepted, finding const& found) {
  if (accepted.finding != found.id) return false;
  if (accepted.subject.empty()) return found.subject != unknown_subject;
  return accepted.subject == found.subject;
}

// Where a finding does not say its table, its subject may: "shop.orders", "shop.orders.id", "t on
// shop.orders".
bool is_about(finding const& found, std::string_view table) {
  if (!found.table.empty()) return found.table == table;
  return found.subject == table || absl::StartsWith(found.subject, absl::StrCat(std::string(table), ".")) ||
         absl::EndsWith(found.subject, absl::StrCat(" on ", std::string(table)));
}

// A subject of its own is enough where the finding says no table: names of indexes and constraints.
bool covers(table_manifest const& table, accepted_finding const& accepted, finding const& found) {
  if (!covers(accepted, found)) return false;
  return is_about(found, table.table) || (found.table.empty() && !accepted.subject.empty());
}

accepted_finding const* find_acceptance(finding const& found, migration_manifest const& migration,
                                        std::vector<table_manifest> const& tables) {
  for (auto const& table : tables)
    for (auto const& accepted : table.accept)
      if (covers(table, accepted, found)) return &accepted;
  for (auto const& accepted : migration.accept)
    if (covers(accepted, found)) return &accepted;
  return nullptr;
}

}  // namespace

void accept_findings(std::vector<finding>& findings, migration_manifest const& migration,
                     std::vector<table_manifest> const& tables) {
  for (auto& found : findings) {
    if (found.level != finding_level::fail) continue;
    auto const* accepted = find_acceptance(found, migration, tables);
    if (!accepted) continue;
    found.level = finding_level::accepted;
    found.reason = accepted->reason;
  }
}

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
