// Status documents, which the controller writes for `shardway status` and metrics, and the manifests as they
// were applied.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shardway/base/result.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

struct status_document {
  std::string name;
  std::string document;             ///< JSON
  std::chrono::milliseconds age{};  ///< by the database's clock
};

/// Stores a document in place of the one of that name.
///
/// Errors: `not_leader`.
/// Cost: one round trip.
result<> put_status(session& catalog, std::int64_t token, std::string_view name,
                    std::string_view document_json);

result<std::optional<status_document>> get_status(session& catalog, std::string_view name);
result<std::vector<status_document>> list_status(session& catalog);

/// A manifest as a team wrote it.
struct manifest_document {
  std::string relation;  ///< "schema.name"; the migration's own manifest has its name
  std::string document;
  std::string sha256;
  std::string applied_by;
  std::string applied_at;
};

/// Inserts or replaces a manifest as the session's role. True if the document is new or differs from the
/// stored one.
result<bool> put_manifest(session& catalog, std::string_view relation, std::string_view document);

/// The same for many: name and document of each. Cost: one round trip.
result<> put_manifests(session& catalog, std::vector<std::pair<std::string, std::string>> const&);

/// All of them, by name. Errors: `corrupt_data` if a document does not match its checksum.
result<std::vector<manifest_document>> list_manifests(session& catalog);

}  // namespace v0
}  // namespace shardway
