#include "shardway/catalog/generation_store.hpp"

#include <algorithm>

#include "lib/catalog/guarded.hpp"
#include "lib/catalog/sha256.hpp"
#include "lib/store/in_parallel.hpp"
#include "shardway/base/limits.hpp"

namespace shardway {
inline namespace v0 {
namespace {

error i3_error(std::string const& group, slot_range range, std::string const& what) {
  return error{error_code::precondition_failed,
               "I3: group " + group + ", slots " + std::to_string(range.first.value()) + " to " +
                   std::to_string(range.last.value()) + ": " + what,
               "read the newest generation and plan again"};
}

result<> check_range(std::string const& group, authority_range const& before, authority_range const& after) {
  slot_range const both{std::max(before.slots.first, after.slots.first),
                        std::min(before.slots.last, after.slots.last)};
  if (after.epoch < before.epoch)
    return i3_error(group, both,
                    "epoch " + std::to_string(before.epoch.value()) + " would go back to " +
                        std::to_string(after.epoch.value()));
  if (after.epoch == before.epoch && after.shard != before.shard)
    return i3_error(group, both, "authority would change without a new epoch");
  return success();
}

result<> check_group(group_state const& before, group_state const& after) {
  for (auto const& held : before.authority) {
    for (auto const& wanted : after.authority) {
      if (held.slots.overlaps(wanted.slots)) {
        BOOST_OUTCOME_TRYV(check_range(before.name, held, wanted));
      }
    }
  }
  return success();
}

result<> check_epochs(generation const& wanted) {
  for (auto const& group : wanted.groups)
    for (auto const& range : group.authority)
      if (range.epoch.value() > limits::epoch_max)
        return error{error_code::epoch_overflow,
                     "group " + group.name + " is past epoch " + std::to_string(limits::epoch_max)};
  return success();
}

statement read_copy(std::uint64_t number) {
  return {"SELECT document, sha256 FROM shardway.generation WHERE generation = $1::bigint",
          {std::to_string(number)}};
}

// Refuses another document under the number. What is there already stays, so that a second try ends where the
// first was cut.
result<> put_copy(session& node, generation const& wanted, std::string const& document, std::int64_t token) {
  auto const number = std::to_string(wanted.number);
  auto const digest = sha256_hex(document);
  statement insert{
      "INSERT INTO shardway.generation (generation, document, sha256) VALUES ($1::bigint, $2, $3) ON "
      "CONFLICT (generation) DO"
      " NOTHING",
      {number, document, digest}};
  statement notify{"SELECT pg_notify($1, $2)", {generation_channel, number}};
  BOOST_OUTCOME_TRYV(run_guarded(node, token, {std::move(insert), std::move(notify)}));
  BOOST_OUTCOME_TRY(auto const copy, node.query(read_copy(wanted.number)));
  if (copy.size() == 1 && copy.text(0, 1) == digest && sha256_hex(copy.text(0, 0)) == digest)
    return success();
  auto const code = copy.size() == 1 && copy.text(0, 1) != digest ? error_code::precondition_failed
                                                                  : error_code::corrupt_data;
  return error{code, "generation " + number + " on this node is not the document that was published",
               "publish it under the next number"}
      .at_node(node.identity().name);
}

result<> check_on(session& node, generation const& wanted) {
  BOOST_OUTCOME_TRY(auto const newest, read_newest_generation(node));
  if (!newest || newest->number == wanted.number) return success();
  if (newest->number > wanted.number)
    return error{error_code::precondition_failed,
                 "the node holds generation " + std::to_string(newest->number) + ", newer than " +
                     std::to_string(wanted.number),
                 "read the newest generation and plan again"}
        .at_node(node.identity().name);
  auto checked = check_successor(*newest, wanted);
  if (!checked) return checked.error().at_node(node.identity().name);
  return success();
}

}  // namespace

result<std::optional<generation>> read_newest_generation(session& node) {
  BOOST_OUTCOME_TRY(
      auto const found,
      node.query({"SELECT document, sha256 FROM shardway.generation ORDER BY generation DESC LIMIT 1"}));
  if (found.empty()) return std::optional<generation>{};
  if (sha256_hex(found.text(0, 0)) != found.text(0, 1))
    return error{error_code::corrupt_data, "the newest generation does not match its checksum",
                 "publish a new generation"}
        .at_node(node.identity().name);
  BOOST_OUTCOME_TRY(auto decoded, decode_generation(found.text(0, 0)));
  return std::optional{std::move(decoded)};
}

namespace {

result<generation> decode_copy(rows const& copies, std::size_t row, std::uint64_t number) {
  auto const corrupt = [&](std::string what) {
    return error{error_code::corrupt_data, "generation " + std::to_string(number) + " " + std::move(what),
                 "publish a new generation"};
  };
  if (sha256_hex(copies.text(row, 1)) != copies.text(row, 2)) return corrupt("does not match its checksum");
  BOOST_OUTCOME_TRY(auto made, decode_generation(copies.text(row, 1)));
  if (made.number != number) return corrupt("is another generation's document");
  return made;
}

}  // namespace

result<readable_generation> read_newest_readable_generation(session& node, std::uint64_t above) {
  BOOST_OUTCOME_TRY(auto const copies,
                    node.query({"SELECT generation, document, sha256 FROM shardway.generation WHERE "
                                "generation > $1::bigint ORDER BY"
                                " generation DESC LIMIT 4",
                                {std::to_string(above)}}));
  readable_generation read;
  for (std::size_t row = 0; row < copies.size() && !read.found; ++row) {
    BOOST_OUTCOME_TRY(auto const number, copies.integer(row, 0));
    if (row == 0) read.newest = static_cast<std::uint64_t>(number);
    auto made = decode_copy(copies, row, static_cast<std::uint64_t>(number));
    if (made)
      read.found = std::move(made).value();
    else if (row == 0)
      read.why = made.error().at_node(node.identity().name);
  }
  return read;
}

result<std::uint64_t> newest_generation_number(session& node) {
  BOOST_OUTCOME_TRY(auto const found,
                    node.query({"SELECT coalesce(max(generation), 0) FROM shardway.generation"}));
  BOOST_OUTCOME_TRY(auto const number, found.integer(0, 0));
  return static_cast<std::uint64_t>(number);
}

result<std::uint64_t> next_generation_number(session& source, std::vector<session*> const& shards) {
  BOOST_OUTCOME_TRY(auto const numbers, in_parallel(shards.size() + 1, [&](std::size_t i) {
                      return newest_generation_number(i == 0 ? source : *shards[i - 1]);
                    }));
  auto const newest = *std::max_element(numbers.begin(), numbers.end());
  return newest + 1;
}

result<> check_successor(generation const& before, generation const& after) {
  BOOST_OUTCOME_TRYV(check_epochs(after));
  for (auto const& held : before.groups) {
    auto const* wanted = after.find_group(held.name);
    if (!wanted && held.stage != stage::observing)
      return error{error_code::precondition_failed,
                   "group " + held.name + " would disappear while it is " + std::string(name(held.stage))};
    if (wanted) {
      BOOST_OUTCOME_TRYV(check_group(held, *wanted));
    }
  }
  return success();
}

result<> publish_generation(session& source, std::vector<session*> const& shards, generation const& wanted,
                            std::int64_t token) {
  BOOST_OUTCOME_TRYV(check_epochs(wanted));
  auto const document = encode(wanted);
  auto const node = [&](std::size_t i) -> session& { return i == shards.size() ? source : *shards[i]; };
  // Writers of a moving range wait for this: every node is asked at once, the source written last.
  BOOST_OUTCOME_TRYV(in_parallel(shards.size() + 1, [&](std::size_t i) -> result<bool> {
    BOOST_OUTCOME_TRYV(check_on(node(i), wanted));
    return true;
  }));
  BOOST_OUTCOME_TRYV(in_parallel(shards.size(), [&](std::size_t i) -> result<bool> {
    BOOST_OUTCOME_TRYV(put_copy(node(i), wanted, document, token));
    return true;
  }));
  return put_copy(source, wanted, document, token);
}

}  // namespace v0
}  // namespace shardway
