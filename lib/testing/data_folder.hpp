// Data folders: made once per PostgreSQL version by initdb, then copied and given a system identifier of
// their own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "lib/testing/process.hpp"

namespace shardway {
inline namespace v0 {
namespace testing {

/// The folder above `bin`. Errors: `precondition_failed`, with what to install.
result<std::filesystem::path> postgres_prefix(int major);

/// Makes `data` for a new server.
result<void> make_data_folder(int major, std::filesystem::path const& data, account const& owner);

/// Copies a tree, owned by `owner` afterwards. Files that vanish meanwhile are left out: a running server
/// removes some.
result<void> copy_tree(std::filesystem::path const& from, std::filesystem::path const& to,
                       account const& owner,
                       std::function<bool(std::filesystem::path const& relative)> const& skip = {});

/// Writes a file that belongs to `owner`.
result<void> write_file(std::filesystem::path const& file, std::string const& text, account const& owner);

/// Makes a folder with mode 0700 that belongs to `owner`.
result<void> make_folder(std::filesystem::path const& folder, account const& owner);

/// Gives a data folder that was shut down cleanly another system identifier, in `pg_control` and in its WAL:
/// servers made from one copy would otherwise pass for the same server.
result<void> renew_system_identifier(std::filesystem::path const& data);

}  // namespace testing
}  // namespace v0
}  // namespace shardway
