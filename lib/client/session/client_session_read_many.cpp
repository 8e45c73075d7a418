// A read of several shard keys: one round trip to each node that has some of them.
#include <map>
#include <set>

#include "lib/client/session/merged_read.hpp"
#include "lib/client/session/parse_scatter.hpp"
#include "lib/store/text_array.hpp"

namespace shardway {
inline namespace v0 {
namespace {

struct keys_of_node {
  std::map<slot_id, epoch> slots;
  std::vector<shard_key const*> keys;
};

struct many_call {
  std::string_view table;
  std::span<shard_key const> keys;
  std::string_view sql;
  std::vector<text_value> const& parameters;
  scatter_statement const& scatter;
};

// A key given twice is asked for once.
result<std::map<node_index, keys_of_node>> keys_by_node(many_call const& call, routing_view const& view) {
  std::map<node_index, keys_of_node> nodes;
  std::set<std::string_view> seen;
  for (auto const& key : call.keys) {
    BOOST_OUTCOME_TRY(auto const way, view.routes->by_key(call.table, key));
    auto const bytes = key.bytes();
    if (!seen.insert({reinterpret_cast<char const*>(bytes.data()), bytes.size()}).second) continue;
    auto& node = nodes[way.node];
    node.slots.emplace(way.slot, way.epoch);
    node.keys.push_back(&key);
  }
  return nodes;
}

planned_part part_of(many_call const& call, node_index node, keys_of_node const& node_keys) {
  planned_part part{.node = node, .what = {}, .expected = {}};
  for (auto const& [slot, epoch] : node_keys.slots) part.expected.push_back({{slot, slot}, epoch});
  for (std::size_t column = 0; column < node_keys.keys.front()->columns(); ++column) {
    std::vector<text_value> texts;
    for (auto const* key : node_keys.keys) texts.emplace_back(key->text_of(column));
    part.what.parameters.push_back(text_array(texts));
  }
  part.what.parameters.insert(part.what.parameters.end(), call.parameters.begin(), call.parameters.end());
  part.what.sql = with_conditions(call.scatter, call.sql, [](auto const&) { return std::string{"true"}; });
  return part;
}

result<planned_read> plan(many_call const& call, routing_view const& view) {
  BOOST_OUTCOME_TRY(auto const nodes, keys_by_node(call, view));
  planned_read made;
  for (auto const& [node, node_keys] : nodes) made.parts.push_back(part_of(call, node, node_keys));
  return made;
}

}  // namespace

result<merged_answer> client_session::read_many(std::string_view table, std::span<shard_key const> keys,
                                                std::string_view sql, std::vector<text_value> parameters,
                                                scatter_options const& options) {
  auto const begun = system_clock_source().now();
  BOOST_OUTCOME_TRY(auto const scatter, parse_scatter(sql, options));
  if (keys.empty())
    return error{error_code::shard_key_missing,
                 "a read of several shard keys of " + std::string(table) + " was given none"};
  auto const wanted = keys.front().columns() + parameters.size();
  if (scatter.parameter_count != wanted)
    return error{error_code::statement_refused,
                 "a read of several shard keys: the statement has " +
                     std::to_string(scatter.parameter_count) + " parameters, the keys and the caller give " +
                     std::to_string(wanted),
                 "the keys come first, an array for each column of the shard key: ... = ANY ($1); the "
                 "caller's parameters follow"};
  many_call const call{table, keys, sql, parameters, scatter};
  return run_merged(*state_, {.table = table,
                              .scatter = scatter,
                              .options = options,
                              .deadline = begun + options.read.deadline,
                              .plan = [&](routing_view const& under, bool) { return plan(call, under); }});
}

}  // namespace v0
}  // namespace shardway
