// The error for a table that the generation does not know.
#pragma once

#include <string_view>

#include "shardway/base/error.hpp"
#include "shardway/manifest/generation.hpp"

namespace shardway {
inline namespace v0 {
/// `unknown_table`: no manifest of the generation names the table.
error unlisted_table(std::string_view table, generation const& current);

}  // namespace v0
}  // namespace shardway
