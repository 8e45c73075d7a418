#include "shardway/client/id_source.hpp"

#include "lib/client/session/client_state.hpp"
#include "lib/client/session/id_leaser.hpp"
#include "lib/protocol/id_block.hpp"
#include "shardway/route/slot.hpp"
#include "shardway/route/slot_in_id.hpp"

namespace shardway {
inline namespace v0 {
namespace {

error unlisted(std::string_view table, routing_view const& view) {
  return error{error_code::unknown_table, "table " + std::string(table) +
                                              " is in no manifest of generation " +
                                              std::to_string(view.current.number)};
}

}  // namespace

// Outlives neither the client's state nor `client_state::close`, which stops it.
std::shared_ptr<id_leaser> make_id_leaser(client_state& shared) {
  return std::make_shared<id_leaser>(
      [&shared](std::string const& table, std::uint32_t count) -> result<std::int64_t> {
        auto const until = system_clock_source().now() + shared.options.stall_budget;
        BOOST_OUTCOME_TRY(auto lent, shared.lend(source_node, until));
        BOOST_OUTCOME_TRY(auto const answer, lent.link->query(lease_ids_statement(table, count), until));
        return parse_lease(answer, table);
      });
}

result<std::int64_t> id_source::take() {
  return from_->take(table_, block_, system_clock_source().now() + wait_);
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

result<id_source> client::ids(std::string_view table) const {
  auto const view = state_->generations.view();
  auto const* found = view->current.find_table(table);
  if (!found) return unlisted(table, *view);
  auto const& manifest = found->manifest;
  if (manifest.ids != id_strategy_kind::leased && manifest.ids != id_strategy_kind::slot)
    return error{error_code::invalid_argument, "the manifest of table " + std::string(table) +
                                                   " has another strategy of ids than LEASED or SLOT"};
  return id_source{state_->ids, std::string(table), manifest.id_block, manifest.ids == id_strategy_kind::slot,
                   state_->options.stall_budget};
}

result<route> client::route_of_id(std::string_view table, std::int64_t id) const {
  auto const view = state_->generations.view();
  auto const* found = view->current.find_table(table);
  auto const* routes = view->routes->find(table);
  if (!found || !routes) return unlisted(table, *view);
  if (found->manifest.ids != id_strategy_kind::slot)
    return error{
        error_code::invalid_argument,
        "ids of table " + std::string(table) + " carry no slot: its manifest has another strategy than SLOT"};
  auto const slot = slot_in_id(id);
  if (!slot)
    return error{error_code::invalid_argument,
                 "an id of table " + std::string(table) + " carries no slot: it is below 4,096"};
  return view->routes->of_slot(*routes, *slot);
}

}  // namespace v0
}  // namespace shardway
