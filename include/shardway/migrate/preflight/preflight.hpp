// The doctor: everything that would go wrong later, found before anything is changed. Reads only.
#pragma once

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
  std::string subject;   ///< table, role, setting ...
  std::string what;      ///< what is so, and what follows from it
  std::string fix;       ///< SQL or manifest line that puts it right; empty for pass
  std::string table{};   ///< the table of the manifests that it is about; empty: a node, or not known
  std::string reason{};  ///< of an accepted one: the manifest's
};

struct preflight_options {
  /// Opens a session with the engine's role. An error becomes a finding, not a failure of the preflight.
  std::function<result<std::unique_ptr<session>>(node_definition const&)> connect;
  std::chrono::seconds transaction_age_max{60};  ///< older transactions are reported
  std::chrono::milliseconds clock_difference_max{500};
  int spare_replication_slots{0};  ///< wanted beside the ones the migration needs
};

/// Looks at every node and table. Failing findings that the manifests accept have the level `accepted`. The
/// list is ordered: nodes first, then tables; every check reports, also when it passes. Errors:
/// `invalid_argument` (no `connect`). What a node answers is a finding. Cost: a connection and about twenty
/// queries a node, a dozen a table.
result<std::vector<finding>> run_preflight(migration_manifest const&, std::vector<table_manifest> const&,
                                           preflight_options const&);

/// The worst level of the list.
finding_level worst(std::vector<finding> const&) noexcept;

}  // namespace v0
}  // namespace shardway
