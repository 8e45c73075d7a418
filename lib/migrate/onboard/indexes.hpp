// Indexes, from the source's own definitions.
#pragma once

#include <string>
#include <vector>

#include "lib/migrate/onboard/options.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {

/// Before the copy: primary keys, unique constraints and unique indexes; for partitioned tables all indexes.
result<> create_keys(session& source, session& shard, std::vector<table_state> const&,
                     onboard_options const&);
/// After it: the other indexes, without blocking the stream.
result<> create_indexes(session& source, session& shard, std::vector<table_state> const&,
                        onboard_options const&);

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
