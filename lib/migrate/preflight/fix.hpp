// The ways out that a finding names. Each stands on a line of its own, so that it can be taken as it is.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace shardway {
inline namespace v0 {
namespace migrate::preflight::fix {

/// Begins a line of manifest text; the table's name and a colon follow.
inline constexpr std::string_view manifest_line = "in the manifest of ";
/// Begins a line of text for the migration's manifest.
inline constexpr std::string_view migration_line = "in the migration's manifest: ";
/// Begins a line of SQL for the source, in a finding of another node.
inline constexpr std::string_view source_line = "on the source: ";

/// SQL for the finding's node. The line ends in ';'.
std::string sql(std::string_view statement);
/// SQL for the source, in a finding of another node. The line ends in ';'.
std::string source_sql(std::string_view statement);
/// Text for the table's manifest file.
std::string manifest(std::string_view table, std::string_view text);
/// Text for the migration's manifest file.
std::string migration_manifest(std::string_view text);
/// A line for each way out. The operator takes one of them.
std::string any_of(std::initializer_list<std::string> ways);

/// `field: "value"`, as manifests write it.
std::string field(std::string_view name, std::string_view value);

}  // namespace migrate::preflight::fix
}  // namespace v0
}  // namespace shardway
