// The doctor: everything that would go wrong later, found before anything is changed. Reads only.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "shardway/base/result.hpp"
#include "shardway/manifest/manifest.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

enum class finding_level : unsigned char {
  pass,
  warn,
  accepted,  ///< it fails, and the manifest says why it may stand
  fail,
};
std::string_view name(finding_level) noexcept;

struct finding {
  std::string id;  ///< stable, such as "wal_level" or "unique_without_shard_key"
  finding_level level{};
  std::string node;
  std::string subject;  ///< table, role, setting ...
  std::string what;     ///< what is so, and what follows from it
  /// The ways out, a line each; empty for pass. A line that ends in ';' is SQL: for the source if it begins
  /// with "on the source: ", else for the node. A line that begins with "in the manifest of TABLE: " or "in
  /// the migration's manifest: " ends in text for that file. Any other line is advice.
  std::string fix;
  std::string table{};   ///< the table of the manifests that it is about; empty: a node, or not known
  std::string reason{};  ///< of an accepted one: the manifest's
};

struct preflight_options {
  /// Opens a session with the engine's role. An error becomes a finding, not a failure of the preflight.
  std::function<result<std::unique_ptr<session>>(node_definition const&)> connect;
  std::chrono::seconds transaction_age_max{60};  ///< older transactions are reported
  std::chrono::milliseconds clock_difference_max{500};
  int spare_replication_slots{0};  ///< wanted beside the ones the migration needs

  /// Only the tables of these groups, and these tables ("schema.name"). Both empty: all. Nodes are always
  /// looked at.
  std::vector<std::string> groups{};
  std::vector<std::string> tables{};

  /// How long the rows behind one foreign key may be looked at, and those behind all. What is not found out
  /// in time is a finding of level fail. Zero: they are not looked at.
  std::chrono::milliseconds row_check_time{5'000};
  std::chrono::milliseconds row_check_time_all{60'000};
};

/// Looks at every node and table. Failing findings that the manifests accept have the level `accepted`. The
/// list is ordered: nodes first, then tables; every check reports, also when it passes. A check that could
/// not ask is a finding of level fail.
///
/// Errors: `invalid_argument` (no `connect`; `groups` or `tables` name what no manifest has). What a node
/// answers is a finding.
/// Cost: a connection and about forty queries a node, in a dozen round trips, whatever the number of tables;
/// and one for each foreign key inside a group that does not hold the shard key. Thread safety: safe, if
/// `connect` is.
result<std::vector<finding>> run_preflight(migration_manifest const&, std::vector<table_manifest> const&,
                                           preflight_options const&);

/// The worst level of the list.
finding_level worst(std::vector<finding> const&) noexcept;

}  // namespace v0
}  // namespace shardway
