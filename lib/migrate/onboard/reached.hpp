// What the tables' definitions need beside the tables: found by walking pg_depend from them.
#pragma once

#include <string>
#include <vector>

#include "lib/migrate/onboard/options.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {

struct used_extension {
  std::string name;
  std::string schema;  ///< where its objects are
};

/// Schemas of the tables, of their partitions, and of the types, functions, operators, operator classes,
/// collations and sequences that their columns, defaults, constraints, indexes and triggers use. What an
/// extension made counts for `extensions`, not for `schemas`: pg_dump leaves it to the extension.
struct reached_objects {
  std::vector<std::string> schemas;  ///< quoted where they must be
  std::vector<used_extension> extensions;
};
/// Cost: two queries.
result<reached_objects> find_reached(session& source, std::vector<table_state> const&);

/// Every extension is on the shard, in the same schema. Errors: `precondition_failed` naming each that is
/// not, with the statement that makes it.
result<> require_extensions(session& shard, std::vector<used_extension> const&);

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
