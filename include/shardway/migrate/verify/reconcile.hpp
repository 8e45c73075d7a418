// Repairs rows that a verification has named. Keeps I7.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shardway/migrate/verify/verify.hpp"

namespace shardway {
inline namespace v0 {

/// One repaired row.
struct repair_report {
  std::string relation;
  std::string node;
  std::string kind;  ///< insert, update, delete; conflict: left as it is, its image kept
  std::string key_digest;
};

/// Repairs the rows named, on the nodes without authority. Each row is read again on every node and
/// repaired until it agrees. A row that agrees by now, or whose slot has moved, is left alone. A repair is
/// a one-key chunk: the target's row is locked, or what could delete it again; then a snapshot is taken on
/// the authority that shows every transaction the stream had applied; then the row is written. Never raises a
/// stored version. Records each repair before it commits, which makes older certificates worthless (I7).
/// A row that several nodes claim is left alone on all of them and noted in `shardway.conflict`. The image of
/// a row that is deleted, overwritten or claimed is kept in `shardway.salvaged` of its node, which only the
/// engine's role reads.
/// Errors: `not_leader`; `could_not_tell` (a transaction on the authority stays open longer than
/// `recheck_wait`); SQLSTATE 23505 (a unique value is held by a row that is not named); connections. What was
/// repaired before an error stays and is recorded.
result<std::vector<repair_report>> reconcile_group(engine_nodes const&, generation const&,
                                                   std::string const& group,
                                                   std::vector<table_verdict> const&, std::int64_t token,
                                                   verify_options const&);

}  // namespace v0
}  // namespace shardway
