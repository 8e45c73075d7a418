// The statement that stores one manifest in the catalog.
#pragma once

#include <string_view>

#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// Inserts or replaces a manifest; affects no row if the stored one is the same.
statement put_manifest_statement(std::string_view relation, std::string_view document);

}  // namespace v0
}  // namespace shardway
