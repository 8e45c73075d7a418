// Data folders of test servers. initdb makes one per PostgreSQL version; each server gets a copy of it with a
// system identifier of its own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "lib/testing/process.hpp"

namespace shardway {
inline namespace v0 {
namespace testing {

/// The folder above `bin` of that PostgreSQL version. Errors: `precondition_failed`; the hint says what to
/// install.
result<std::filesystem::path> postgres_prefix(int major);

/// Makes `data` for a new server.
result<void> make_data_folder(int major, std::filesystem::path const& data, account const& owner);

/// Copies a tree; the copy belongs to `owner`. Files that disappear meanwhile are left out, because a running
/// server removes some.
result<void> copy_tree(std::filesystem::path const& original, std::filesystem::path const& copy,
                       account const& owner,
                       std::function<bool(std::filesystem::path const& relative)> const& skip = {});

/// Writes a file that belongs to `owner`.
result<void> write_file(std::filesystem::path const& file, std::string const& text, account const& owner);

/// Makes a folder with mode 0700 that belongs to `owner`.
result<void> make_folder(std::filesystem::path const& folder, account const& owner);

}  // namespace testing
}  // namespace v0
}  // namespace shardway
