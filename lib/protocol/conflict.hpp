// What is noted where two nodes claim one primary key for different places (AP10). A note turns the gate
// `conflicts` red, and no session token is met on a shard that has one. Text only.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shardway/base/row_version.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

struct key_conflict {
  std::string stream;    ///< who met it: "source", the node name of a mirror's shard, "copy", "reconcile"
  std::string relation;  ///< "schema.name"
  std::vector<std::string> key;  ///< in text form; only its digest is noted
  std::string slot;              ///< of the row that could not be written; empty: not known
  std::string held_slot;         ///< of the row that holds the key; empty: it is gone by now
  std::string version;           ///< of the change; empty: it has none
  std::string held_version;
  std::string reason;
};

/// Notes a conflict in place of an older note on the same key by the same stream.
std::vector<statement> note_conflict_statements(key_conflict const&);

/// Takes the notes of these keys away: what met them has been applied since.
statement forget_conflicts_statement(std::string_view stream, std::string_view relation,
                                     std::vector<std::vector<std::string>> const& keys);

/// Whether a stream has notes on this node, or one on this key: one boolean.
statement has_conflicts_statement(std::string_view stream);
statement has_conflict_on_statement(std::string_view stream, std::string_view relation,
                                    std::vector<std::string> const& key);

}  // namespace v0
}  // namespace shardway
