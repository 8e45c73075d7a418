// The capture triggers on a table and its leaves.
#pragma once

#include "lib/migrate/onboard/options.hpp"
#include "lib/protocol/capture.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {

/// Installs the triggers that the table's manifest asks for where they are not there yet, or are those of the
/// other kind. Drains writers in flight: afterwards every transaction that was routed by the library fires
/// them.
result<> raise_capture(onboard_node const& node, node_role, std::vector<table_state> const&,
                       onboard_options const&);
result<> drop_capture(onboard_node const& node, std::vector<table_state> const&, onboard_options const&);

/// For tables of groups that have begun to copy and whose capture is another in `next` than in `now`. Before
/// `next` is published those that go to triggers, so that no client of `next` misses them; afterwards those
/// that leave triggers: until then clients of `now` rely on them.
enum class capture_change : unsigned char { before_publication, after_publication };
result<> change_captures(std::vector<onboard_node> const& nodes_source_first, generation const& now,
                         generation const& next, capture_change, onboard_options const&);

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
