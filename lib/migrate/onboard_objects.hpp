// Indexes, constraints and triggers, from the source's own definitions.
#pragma once

#include <string>
#include <vector>

#include "shardway/migrate/onboard.hpp"

namespace shardway {
inline namespace v0 {
namespace onboarding {

/// Before the copy: primary keys, unique constraints and unique indexes; for partitioned tables all indexes.
result<> create_keys(session& source, session& shard, std::vector<table_state> const&, onboard_options const&);
/// After it: the other indexes, without blocking the stream.
result<> create_indexes(session& source, session& shard, std::vector<table_state> const&, onboard_options const&);
result<> create_foreign_keys(session& source, session& shard, std::vector<table_state> const&, onboard_options const&,
    std::vector<std::string>& skipped);
result<> create_triggers(session& source, session& shard, std::vector<table_state> const&, onboard_options const&,
    std::vector<std::string>& skipped);

}  // namespace onboarding
}  // namespace v0
}  // namespace shardway
