// Checks of a read that several nodes answer.
#pragma once

#include <string_view>

#include "lib/sql/read_statement.hpp"
#include "shardway/base/result.hpp"
#include "shardway/read/scatter_options.hpp"

namespace shardway {
inline namespace v0 {

/// Checks the options and takes the statement apart, for `read_all` and `read_many` alike. Errors:
/// `statement_refused`, `invalid_argument`.
result<scatter_statement> parse_scatter(std::string_view sql, scatter_options const& options);

}  // namespace v0
}  // namespace shardway
