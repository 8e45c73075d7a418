// A read without a shard key: every node with authority, each for its own slots.
#include <algorithm>

#include <absl/strings/str_join.h>

#include "lib/client/session/merged_read.hpp"
#include "lib/client/session/parse_scatter.hpp"
#include "lib/protocol/column_lists.hpp"
#include "lib/protocol/slot_of.hpp"
#include "shardway/base/test_switch.hpp"

namespace shardway {
inline namespace v0 {
namespace {

error refused(std::string what, std::string hint) {
  return error{error_code::statement_refused, std::move(what), std::move(hint)};
}

result<> check_manifest(std::string const& table, table_state const& known) {
  if (known.manifest.kind == table_kind::reference)
    return error{error_code::invalid_argument, table + " is a reference table: one node has all of it",
                 "use `read` with the key {}"};
  if (known.manifest.reads.scatter) return success();
  return refused("a read of " + table +
                     " without its shard key would ask every node, and its manifest does not allow that",
                 "set `reads { scatter: true }` in the manifest of " + table + ", or read by shard key");
}

result<> check_conditions(std::string const& table, table_state const& known,
                          scatter_statement const& scatter) {
  auto const& key = known.manifest.shard_key;
  auto const columns = absl::StrJoin(key, ", ");
  if (scatter.conditions.empty())
    return refused(
        "a read of " + table + " from several nodes does not say where the shard key of its rows is",
        "write {slots:" + columns +
            "} as a condition of WHERE, with the columns as the statement knows them");
  for (auto const& one : scatter.conditions)
    if (one.columns.size() != key.size())
      return refused("{slots:...} of " + table + " does not name its shard key", "name (" + columns + ")");
  return success();
}

// One node's part of a group.
class own_slots {
 public:
  own_slots(routing_view const& view, table_routes const& table, group_state const& group, node_index node)
      : view_(view), table_(table), node_(node) {
    for (auto const& range : group.authority)
      if (owner_of(range.slots.first) == node) expected_.push_back({range.slots, range.epoch});
  }
  std::vector<expected_slots> const& expected() const noexcept { return expected_; }

  /// Whether the node holds no rows but those of its own slots. The source holds all rows, a shard those
  /// placed on it.
  bool are_all_it_holds() const {
    for (std::uint16_t i = 0; i < limits::slot_count; ++i) {
      slot_id const slot{i};
      bool const held = node_.is_source() || node_index{view_.current.shard_of(slot)} == node_;
      if (held != (owner_of(slot) == node_)) return false;
    }
    return true;
  }
  /// One bit a slot, as get_bit counts them.
  std::string mask() const {
    constexpr char digits[] = "0123456789abcdef";
    std::string text = "\\x";
    for (unsigned byte = 0; byte < limits::slot_count / 8; ++byte) {
      unsigned bits = 0;
      for (unsigned bit = 0; bit < 8; ++bit)
        if (owner_of(slot_id{static_cast<std::uint16_t>(byte * 8 + bit)}) == node_) bits |= 1U << bit;
      text += digits[bits >> 4];
      text += digits[bits & 15U];
    }
    return text;
  }

 private:
  node_index owner_of(slot_id slot) const { return view_.routes->of_slot(table_, slot).node; }
  routing_view const& view_;
  table_routes const& table_;
  node_index node_;
  std::vector<expected_slots> expected_;
};

std::string condition_on(table_state const& table, std::span<std::string const> columns,
                         std::size_t parameter) {
  std::vector<std::string> key;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    auto const column = std::ranges::find(table.columns, table.manifest.shard_key[i], &column_state::name);
    key.push_back(column == table.columns.end() ? columns[i] : as_key(*column, columns[i]));
  }
  return "(pg_catalog.get_bit($" + std::to_string(parameter) + "::pg_catalog.bytea, " + slot_of_call(key) +
         ") = 1)";
}

struct scatter_call {
  std::string table;
  std::string_view sql;
  std::vector<text_value> const& parameters;
  scatter_options const& options;
  scatter_statement const& scatter;
};

planned_part part_of(scatter_call const& call, table_state const& table, own_slots const& own,
                     node_index node, bool filtered) {
  planned_part part{.node = node,
                    .what = {},
                    .expected = own.expected(),
                    .relies_on_generation = !filtered && !node.is_source()};
  auto const parameter = call.scatter.parameter_count + 1;
  part.what.parameters = call.parameters;
  part.what.sql = with_conditions(call.scatter, call.sql, [&](std::span<std::string const> columns) {
    return filtered ? condition_on(table, columns, parameter) : std::string{"true"};
  });
  if (filtered) part.what.parameters.push_back(own.mask());
  return part;
}

result<planned_read> plan(scatter_call const& call, routing_view const& view, bool distrust) {
  BOOST_OUTCOME_TRY(auto const nodes, view.routes->scatter(call.table));
  auto const& known = *view.current.find_table(call.table);
  BOOST_OUTCOME_TRYV(check_manifest(call.table, known));
  BOOST_OUTCOME_TRYV(check_conditions(call.table, known, call.scatter));
  auto const allowed = known.manifest.reads.fan_out_max;
  auto const most = call.options.fan_out_max == 0 ? allowed : std::min(allowed, call.options.fan_out_max);
  if (nodes.size() > most)
    return refused(
        "a read of " + call.table + " without its shard key would ask " + std::to_string(nodes.size()) +
            " nodes; " + std::to_string(most) + " are allowed",
        "raise `reads.fan_out_max` in its manifest, or `fan_out_max` in the options, or read by shard key");
  planned_read made;
  for (auto const node : nodes) {
    own_slots const own{view, *view.routes->find(call.table), *view.current.find_group(known.manifest.group),
                        node};
    bool const relied_on = own.are_all_it_holds() && (!distrust || node.is_source());
    bool const filtered = !relied_on && !guard_off("slot_filter");
    made.filtered = made.filtered || filtered;
    made.parts.push_back(part_of(call, known, own, node, filtered));
  }
  return made;
}

}  // namespace

result<merged_answer> client_session::read_all(std::string_view table, std::string_view sql,
                                               std::vector<text_value> parameters,
                                               scatter_options const& options) {
  auto const begun = system_clock_source().now();
  BOOST_OUTCOME_TRY(auto scatter, parse_scatter(sql, options));
  if (parameters.size() < scatter.parameter_count)
    return error{error_code::invalid_argument,
                 "a read of several nodes: the statement has more parameters than were given"};
  parameters.resize(scatter.parameter_count);
  auto const view = state_->shared->generations.view();
  auto const* known = view->current.find_table(table);
  if (known == nullptr) return view->routes->scatter(table).error();
  auto const allowed = known->manifest.reads.scatter_budget;
  auto const budget = std::min(options.budget.count() == 0 ? allowed : std::min(allowed, options.budget),
                               options.read.deadline);
  scatter_call const call{std::string(table), sql, parameters, options, scatter};
  return run_merged(*state_, {.table = table,
                              .scatter = scatter,
                              .options = options,
                              .deadline = begun + budget,
                              .plan = [&](routing_view const& under, bool distrust) {
                                return plan(call, under, distrust);
                              }});
}

}  // namespace v0
}  // namespace shardway
