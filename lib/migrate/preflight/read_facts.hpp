// Reads what the rules judge.
#pragma once

#include <chrono>
#include <vector>

#include "lib/migrate/preflight/table_facts.hpp"
#include "shardway/manifest/manifest.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {

/// The facts of all tables. Errors: those of the session; then nothing is known and nothing may be called
/// good. Cost: eight queries in one round trip, whatever the number of tables.
result<source_facts> read_facts(session& source, std::vector<table_manifest> const&);

/// How long the rows behind foreign keys may be looked at.
struct row_budget {
  std::chrono::milliseconds each{};
  std::chrono::milliseconds all{};
};

/// Asks, for each foreign key of the selected tables inside a group that does not hold the shard key, whether
/// there is a pair of rows with different shard keys (AS17). The answers go into the facts; what was not
/// found out in time is `unknown`. Cost: a query for each such foreign key.
void read_rows(session& source, std::vector<table_manifest> const& all, row_budget const&,
               std::vector<table_manifest> const& selected, source_facts&);

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
