// The capture triggers on a table and its leaves.
#pragma once

#include "lib/migrate/onboard/options.hpp"
#include "lib/protocol/capture.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {

/// Installs the triggers that the table's manifest asks for, where they are missing or of the other kind.
/// Drains writers in flight: afterwards every transaction that the library routed fires the triggers.
result<> raise_capture(onboard_node const& node, node_role, std::vector<table_state> const&,
                       onboard_options const&);
result<> drop_capture(onboard_node const& node, std::vector<table_state> const&, onboard_options const&);

/// For tables whose group has begun to copy and whose capture differs between `now` and `next`. Tables that
/// change to triggers are changed before `next` is published, so that no client of `next` misses the
/// triggers. Tables that change from triggers are changed afterwards, because clients of `now` rely on the
/// triggers until then.
enum class capture_change : unsigned char { before_publication, after_publication };
result<> change_captures(std::vector<onboard_node> const& nodes_source_first, generation const& now,
                         generation const& next, capture_change, onboard_options const&);

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
