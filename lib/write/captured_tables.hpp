// The tables of a group by how their changes are captured.
#pragma once

#include <vector>

#include "lib/authority/call_target.hpp"

namespace shardway {
inline namespace v0 {
/// The tables of the target's group that triggers capture.
std::vector<table_state const*> tables_captured_by_trigger(call_target const& target);
/// The other tables of the group: the frame around a statement captures what it changes.
std::vector<table_state const*> tables_captured_by_statement(call_target const& target);

}  // namespace v0
}  // namespace shardway
