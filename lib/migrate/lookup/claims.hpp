// Adds or removes one mapping for the engine, and locks out writers of its value meanwhile.
#pragma once

#include <vector>

#include "lib/protocol/lookup.hpp"
#include "shardway/migrate/wave/wave.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::lookup {

enum class claim_end : unsigned char {
  done,
  needless,   ///< the row or the mapping has changed since it was read
  duplicate,  ///< another row has the value of a unique lookup
  busy,       ///< a writer of the value did not end in time
};

class lookup_claims {
 public:
  lookup_claims(node_sessions const& nodes, generation const& now, lookup_of_table const& lookup,
                std::int64_t token)
      : nodes_(nodes),
        now_(now),
        lookup_(lookup),
        group_(*now.find_group(lookup.table->manifest.group)),
        token_(token) {}

  /// Adds the mapping of a row's value. Takes it over from a row that no longer has the value, if need be.
  result<claim_end> add(lookup_entry const& entry);
  /// Removes a mapping whose row does not have the value.
  result<claim_end> remove(lookup_entry const& entry);

  session& holder_of(shard_key const& value) const {
    return *nodes_.shards[lookup_shard(now_, value).value()];
  }
  /// The node with authority for an owner's rows, and its slot.
  struct place {
    session* node{};
    slot_id slot{};
    shardway::epoch epoch{};
  };
  result<place> place_of(lookup_owner const& owner) const;

 private:
  result<bool> lock_out_writers(place const& target, lookup_entry const& entry);
  result<bool> row_holds(session& node, lookup_entry const& entry, lookup_owner const& owner);
  result<claim_end> add_locked(place const& target, lookup_entry const& entry);
  result<claim_end> take_over(place const& target, lookup_entry const& entry, lookup_owner const& owner);
  result<claim_end> change(lookup_entry const& entry, statement const& what);
  result<claim_end> remove_locked(place const& target, lookup_entry const& entry);
  result<claim_end> ended(result<claim_end> outcome, shard_key const& value);

  node_sessions const& nodes_;
  generation const& now_;
  lookup_of_table lookup_;
  group_state const& group_;
  std::int64_t token_;
  std::vector<session*> open_{};  ///< with a transaction of ours
};

}  // namespace migrate::lookup
}  // namespace v0
}  // namespace shardway
