#include "shardway/client/id_source.hpp"

#include "lib/client/session/id_leaser.hpp"
#include "shardway/route/slot.hpp"
#include "shardway/route/slot_in_id.hpp"

namespace shardway {
inline namespace v0 {

result<std::int64_t> id_source::take() {
  return leaser_->take(table_, block_, system_clock_source().now() + wait_);
}

result<std::int64_t> id_source::next() {
  if (carries_slot_)
    return error{error_code::invalid_argument,
                 "ids of table " + table_ + " carry their slot: give the row's shard key"};
  return take();
}

result<std::int64_t> id_source::next(shard_key const& key) {
  if (!carries_slot_) return take();
  if (key.empty())
    return error{error_code::shard_key_missing,
                 "an id of table " + table_ + " carries the slot of its row's shard key, which is missing"};
  BOOST_OUTCOME_TRYV(key.check());
  BOOST_OUTCOME_TRY(auto const sequence, take());
  if (auto const made = make_slot_id(sequence, slot_of(key))) return *made;
  return error{error_code::precondition_failed, "the numbers of ids of table " + table_ + " are used up"};
}

}  // namespace v0
}  // namespace shardway
