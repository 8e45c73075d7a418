// The system identifier of a data folder.
#pragma once

#include <filesystem>

#include "shardway/base/result.hpp"

namespace shardway {
inline namespace v0 {
namespace testing {

/// Gives a data folder another system identifier, in `pg_control` and in its WAL. Otherwise servers that are
/// copies of one folder would look like the same server. Preconditions: the server was shut down cleanly.
/// Errors: `corrupt_data`, `precondition_failed` (a file cannot be written).
result<void> renew_system_identifier(std::filesystem::path const& data);

}  // namespace testing
}  // namespace v0
}  // namespace shardway
