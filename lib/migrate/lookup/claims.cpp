#include "lib/migrate/lookup/claims.hpp"

#include <algorithm>

#include "lib/catalog/guarded.hpp"
#include "lib/protocol/fence.hpp"
#include "lib/protocol/progress.hpp"
#include "lib/store/first_error.hpp"
#include "shardway/route/slot.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::lookup {

result<lookup_claims::place> lookup_claims::place_of(lookup_owner const& owner) const {
  BOOST_OUTCOME_TRY(auto const key,
                    key_from_texts(*lookup_.table, lookup_.table->manifest.shard_key, owner.shard_key));
  auto const slot = slot_of(key);
  auto const& range = generation::authority_of(group_, slot);
  return place{range.shard ? nodes_.shards[range.shard->value()] : nodes_.source, slot, range.epoch};
}

// Until our transaction ends, no writer of the value can pass: each needs the same lock, to its own end.
// False: a writer did not end in time.
result<bool> lookup_claims::lock_out_writers(place const& target, lookup_entry const& entry) {
  statement const all[]{{.sql = "BEGIN ISOLATION LEVEL READ COMMITTED"},
                        {.sql = "SET LOCAL lock_timeout = '500ms'"},
                        engine_check_statement(token_, "controller"),
                        fence_statement(group_.name, target.slot, target.epoch),
                        lookup_lock_statement(lookup_, {slot_of(entry.value)}, true)};
  open_.push_back(target.node);
  BOOST_OUTCOME_TRY(auto const answers, target.node->flush(all));
  auto const locked = first_error(answers);
  if (!locked && locked.error().sqlstate() == "55P03") return false;
  if (!locked) return locked.error();
  return true;
}

result<bool> lookup_claims::row_holds(session& node, lookup_entry const& entry, lookup_owner const& owner) {
  BOOST_OUTCOME_TRY(auto const found, node.query(row_holds_statement(lookup_, entry.texts, owner)));
  return !found.empty();
}

// Commits the change of the mapping before it releases the writers.
result<claim_end> lookup_claims::ended(result<claim_end> outcome, shard_key const& value) {
  auto const* changed = &holder_of(value);
  std::stable_partition(open_.begin(), open_.end(), [&](session* one) { return one == changed; });
  bool const keep = outcome && outcome.value() == claim_end::done;
  for (auto* one : open_) {
    if (one->is_broken()) continue;
    auto const done = one->simple(keep ? "COMMIT" : "ROLLBACK");
    if (!done && outcome) outcome = done.error();
  }
  open_.clear();
  return outcome;
}

result<claim_end> lookup_claims::change(lookup_entry const& entry, statement const& what) {
  BOOST_OUTCOME_TRY(auto const done, run_guarded(holder_of(entry.value), token_, {what}));
  return done.front().affected() == 1 ? claim_end::done : claim_end::busy;
}

result<claim_end> lookup_claims::add(lookup_entry const& entry) {
  BOOST_OUTCOME_TRY(auto const target, place_of(entry.owner));
  auto const locked = lock_out_writers(target, entry);
  if (!locked) return ended(locked.error(), entry.value);
  if (!locked.value()) return ended(claim_end::busy, entry.value);
  return ended(add_locked(target, entry), entry.value);
}

result<claim_end> lookup_claims::add_locked(place const& target, lookup_entry const& entry) {
  BOOST_OUTCOME_TRY(bool const is_there, row_holds(*target.node, entry, entry.owner));
  if (!is_there) return claim_end::needless;
  if (!lookup_.lookup->unique) return change(entry, lookup_insert_statement({&entry, 1}));
  BOOST_OUTCOME_TRY(auto const found, holder_of(entry.value).query(lookup_holders_statement({&entry, 1})));
  auto const holder = parse_holder(lookup_, found, 0);
  if (!holder) return change(entry, lookup_insert_statement({&entry, 1}));
  if (*holder == entry.owner) return claim_end::needless;
  return take_over(target, entry, *holder);
}

result<claim_end> lookup_claims::take_over(place const& target, lookup_entry const& entry,
                                           lookup_owner const& owner) {
  BOOST_OUTCOME_TRY(auto const other, place_of(owner));
  if (other.node != target.node) {
    BOOST_OUTCOME_TRY(bool const locked, lock_out_writers(other, entry));
    if (!locked) return claim_end::busy;
  } else if (other.slot != target.slot) {
    BOOST_OUTCOME_TRYV(target.node->query(fence_statement(group_.name, other.slot, other.epoch)));
  }
  BOOST_OUTCOME_TRY(bool const is_there, row_holds(*other.node, entry, owner));
  if (is_there) return claim_end::duplicate;
  return change(entry, lookup_takeover_statement(entry, owner));
}

result<claim_end> lookup_claims::remove(lookup_entry const& entry) {
  BOOST_OUTCOME_TRY(auto const target, place_of(entry.owner));
  auto const locked = lock_out_writers(target, entry);
  if (!locked) return ended(locked.error(), entry.value);
  if (!locked.value()) return ended(claim_end::busy, entry.value);
  return ended(remove_locked(target, entry), entry.value);
}

result<claim_end> lookup_claims::remove_locked(place const& target, lookup_entry const& entry) {
  BOOST_OUTCOME_TRY(bool const is_there, row_holds(*target.node, entry, entry.owner));
  if (is_there) return claim_end::needless;
  return change(entry, lookup_remove_statement(entry));
}

}  // namespace migrate::lookup
}  // namespace v0
}  // namespace shardway
