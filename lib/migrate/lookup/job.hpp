// Lookups from the engine's side: their tables, and bringing mappings and rows together while writers go on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/protocol/lookup.hpp"
#include "shardway/manifest/generation.hpp"
#include "shardway/migrate/nodes/node_sessions.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::lookup {

enum class lookup_task : unsigned char {
  build,   ///< adds the mappings of rows that were there before writers kept them
  check,   ///< counts
  repair,  ///< adds what is missing, removes what is stale or on a wrong shard
};

struct lookup_report {
  std::string relation;
  std::string lookup;
  std::int64_t rows{};       ///< with a value, on the nodes with authority
  std::int64_t mappings{};   ///< looked at (not by a build)
  std::int64_t missing{};    ///< rows without a mapping; a complete lookup has none
  std::int64_t stale{};      ///< mappings without a row; those of transactions that are still open among them
  std::int64_t misplaced{};  ///< mappings on another shard than their value's
  std::int64_t duplicates{};  ///< rows of a unique lookup whose value another row has
  std::int64_t added{};
  std::int64_t removed{};
  std::int64_t busy{};  ///< left alone, for a writer of the value did not end in time: run it again
  /// Every row can be found by its value.
  bool is_complete() const noexcept { return missing == added && duplicates == 0 && busy == 0; }
};

/// Goes through the table's rows and the lookup's mappings in pages, while writers go on. Nothing is locked
/// for longer than one value takes. Preconditions: `prepare_lookups`; no wave runs meanwhile. Errors:
/// `not_leader`; connections.
result<lookup_report> run_lookup_task(node_sessions const&, generation const&, lookup_of_table const&,
                                      lookup_task, std::int64_t token);

/// Whether the catalog says that the lookup is complete; and saying so on every node.
result<bool> is_lookup_ready(session& source, lookup_of_table const&);
result<> set_lookup_ready(node_sessions const&, lookup_of_table const&, bool ready, std::int64_t token);

}  // namespace migrate::lookup
}  // namespace v0
}  // namespace shardway
