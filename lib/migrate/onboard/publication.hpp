// Publications of the migration.
#pragma once

#include <string>
#include <vector>

#include "lib/migrate/onboard/options.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {

/// Creates the publication or adds the relations it lacks (quoted, qualified names). Returns those added.
result<std::vector<std::string>> extend_publication(session& node, std::string const& publication,
                                                    std::vector<std::string> const& relations,
                                                    onboard_options const&);
/// What a publication of ours lacks, in words; empty if it publishes all that it must: it exists, publishes
/// every kind of change through the root of partitions, has each of the relations (quoted, qualified names; a
/// table that took another's name is not a member), and filters no row or column of them. Errors: those of
/// the connection. Cost: one round trip.
struct publication_gap {
  std::string relation;  ///< as given; empty: of the publication itself
  std::string what;
};
result<std::vector<publication_gap>> publication_gaps(session& node, std::string const& publication,
                                                      std::vector<std::string> const& relations);
/// Waits until every transaction that began before now has ended, prepared ones included. Returns those that
/// were waited for. Errors: `deadline_exceeded` naming those that remain.
result<std::vector<std::string>> drain_older_transactions(session& node, std::chrono::milliseconds timeout);

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
