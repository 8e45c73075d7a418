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

/// SQL for the finding's node. The line ends in ';'.
std::string sql(std::string_view statement);
/// Text for the table's manifest file.
std::string manifest(std::string_view table, std::string_view text);
/// A line for each way out. The operator takes one of them.
std::string any_of(std::initializer_list<std::string> ways);

/// `field: "value"`, as manifests write it.
std::string field(std::string_view name, std::string_view value);

}  // namespace migrate::preflight::fix
}  // namespace v0
}  // namespace shardway
