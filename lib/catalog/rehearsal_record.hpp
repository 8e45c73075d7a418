// What the newest rehearsal of a group found, in the catalog.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "shardway/base/result.hpp"
#include "shardway/manifest/generation.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

struct rehearsal_record {
  std::string group;
  std::string tables_sha256;  ///< of `tables_digest`
  bool passed{};
  std::vector<std::string> problems;  ///< one line each; no value of a row
};

/// What a rehearsal is valid for: tables, keys and columns of a group. Another digest means that the tables
/// have changed since.
std::string tables_digest(std::vector<table_state> const&);

/// Keeps the newest record of the group only. Errors: `precondition_failed` (shardway is not installed
/// there).
result<> record_rehearsal(session& catalog, rehearsal_record const&);

/// Whether the newest rehearsal of the group passed, for these tables, and is not older than `age_max`.
/// Errors: `precondition_failed`, which says what is missing.
result<> require_rehearsal(session& catalog, std::string_view group, std::string_view tables_sha256,
                           std::chrono::seconds age_max);

}  // namespace v0
}  // namespace shardway
