// A rehearsal: everything that onboarding would make for one group, made in a scratch database on each shard.
// The migration then meets no error in production that it could have met before.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "shardway/base/result.hpp"
#include "shardway/manifest/manifest.hpp"
#include "shardway/migrate/nodes/engine_nodes.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// What failed, where, and the way out. It holds no value of a row.
struct rehearsal_problem {
  std::string shard;   ///< the node's name; empty: the source
  std::string step;    ///< database, schema, copy, finish, publication, apply or compare
  std::string object;  ///< the table or another object
  std::string what;    ///< the error, with the server's message where there is one
  std::string fix;     ///< what to do
};

/// One table on one shard, measured.
struct rehearsed_table {
  std::string shard;
  std::string table;
  std::int64_t rows{};                  ///< copied
  std::int64_t bytes{};                 ///< of their binary COPY
  std::chrono::microseconds copying{};  ///< the time of the copy
  std::int64_t changes{};               ///< played through the apply
  std::int64_t disk_bytes{};            ///< of table, indexes and TOAST in the scratch database
};

struct rehearsal_report {
  std::string group;
  std::string tables_sha256;  ///< what it is valid for: tables, keys and columns of the group
  std::vector<rehearsed_table> tables;
  std::vector<rehearsal_problem> problems;
  std::vector<std::string>
      left_out;  ///< "shard: what, and why", such as a foreign key whose target is absent
  std::chrono::microseconds applying{};  ///< the time of all changes played, on all shards
  std::chrono::milliseconds took{};

  /// Whether every table of the group was made, compared and found equal on every shard.
  bool passed() const noexcept { return problems.empty() && !tables.empty(); }
};

struct rehearsal_options {
  /// The nodes, as for the controller. The engine's role needs CREATEDB on each shard.
  engine_nodes nodes;

  std::size_t sample_keys{100};  ///< > 0: shard keys whose rows are taken, from each table of the group
  std::size_t sample_rows_max{10'000};  ///< > 0: more rows of one table are left out
  std::size_t played_rows{50};          ///< rows of each table that are updated, deleted and inserted again
  std::chrono::milliseconds statement_timeout{30'000};  ///< > 0: for each query on the source
  std::string client_programs{};  ///< the folder of pg_dump and psql; empty: found through PATH
  std::vector<std::string>
      client_environment{};  ///< "NAME=value" added to their environment, such as PGPASSFILE
};

/// Rehearses one group on every shard.
///
/// On each shard it creates a database whose name begins with "shardway_rehearsal_", with the shard's
/// extensions and settings, and drops it afterwards, also after an error. In it, it makes schema, keys,
/// indexes, foreign keys, triggers and publication by the code of onboarding. It copies a sample of the rows
/// (those of some shard keys, so that rows which belong together come together), plays updates, deletes and
/// inserts of them through the apply of the stream, and compares every row with the source's. On the source
/// it only reads, in one read-only transaction.
///
/// A failure of a step is a problem in the report. It ends the rehearsal of that shard only.
///
/// Errors: `invalid_argument` (no such group, or an option out of its range), and errors of the source.
/// Thread safety: safe. Cost: some seconds a shard and a group; the sample is held in memory.
result<rehearsal_report> run_rehearsal(migration_manifest const&, std::vector<table_manifest> const&,
                                       std::string const& group, rehearsal_options const&);

/// Keeps the report's outcome in the catalog, where `advance` looks for it.
///
/// Preconditions: `source` is a session of the engine's role on the source.
/// Errors: `precondition_failed` (shardway is not installed there). Cost: one round trip.
result<> record_rehearsal(session& source, rehearsal_report const&);

}  // namespace v0
}  // namespace shardway
