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
/// Waits until every transaction that began before now has ended, prepared ones included. Returns those that
/// were waited for. Errors: `deadline_exceeded` naming those that remain.
result<std::vector<std::string>> drain_older_transactions(session& node, std::chrono::milliseconds timeout);

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
