// Tables of the catalog and the outbox: what only the source holds.
#pragma once

#include <string_view>

namespace shardway {
inline namespace v0 {

std::string_view catalog_schema_sql() noexcept;

}  // namespace v0
}  // namespace shardway
