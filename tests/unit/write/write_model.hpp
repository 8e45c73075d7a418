// A source and two shards for writes without a server: what their statements do to a model of the nodes, and
// the host between them and the write path.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lib/authority/write_host.hpp"
#include "lib/protocol/outbox.hpp"
#include "lib/store/text_array.hpp"
#include "shardway/route/slot.hpp"
#include "support/fake_clock.hpp"
#include "support/scripted_session.hpp"

namespace shardway_test {

using namespace shardway;
using std::chrono::milliseconds;

inline constexpr char insert_sql[] = "INSERT INTO shop.orders (id, customer_id, note) VALUES ($1, $2, $3)";
inline constexpr epoch held{3};

/// What a node of the model holds: rows are only ever added, so that a write that was done twice shows.
struct node_state {
  bool is_open{true};
  std::vector<std::string> notes;      ///< of the rows, in the order of their writes
  std::vector<std::string> write_ids;  ///< of outbox rows on the source, of receipts on a shard
  struct operation {
    std::string digest, write, affected;
  };
  std::map<std::string, operation> operations;
  bool in_operation{};  ///< a setting of the transaction
  bool is_durable{};    ///< the last transaction asked for it after its last statement of a user

  void end_transaction() { in_operation = false; }
};
using server = scripted_server<node_state>;

inline table_state orders() {
  table_state table;
  table.manifest = {.table = "shop.orders", .group = "shop", .shard_key = {"customer_id"}, .key = {"id"}};
  for (auto const* column : {"id", "customer_id"})
    table.columns.push_back({.name = column, .type = "bigint"});
  table.columns.push_back({.name = "note", .type = "text"});
  return table;
}

inline std::shared_ptr<generation const> generation_at(stage at, std::optional<shard_id> authority) {
  auto made = std::make_shared<generation>();
  made->number = 7;
  made->migration.shards.resize(2);
  made->placement = even_placement(2);
  made->groups = {{.name = "shop", .stage = at, .authority = {{all_slots, authority, held, {}}}}};
  made->tables = {orders()};
  return made;
}

inline void answer_client(server& node) {
  node.reads("shardway_fence_shop", [](node_state& state, statement const& one) -> result<rows> {
    if (!state.is_open) return server_says("SW001", "");
    if (one.parameters[1] != std::to_string(held.value())) return server_says("SW002", "");
    return rows_with({{"client/shop", std::nullopt}});
  });
  node.changes("INSERT INTO shardway.operation", [](node_state& state, statement const& one) -> result<rows> {
    auto const& id = *one.parameters[0];
    bool const asks_setting =
        one.sql.find("current_setting('shardway.in_operation', true) = 'on'") != std::string::npos;
    if (asks_setting && !state.in_operation) return affecting(0);
    if (state.operations.contains(id)) return server_says("23505", "");
    state.operations[id] = {*one.parameters[1], *one.parameters[2], "0"};
    return affecting(1);
  });
  node.changes("UPDATE shardway.operation", [](node_state& state, statement const& one) -> result<rows> {
    state.operations.at(*one.parameters[0]).affected = *one.parameters[1];
    return affecting(1);
  });
  node.changes("DELETE FROM shardway.operation",
               [](node_state&, statement const&) -> result<rows> { return affecting(0); });
  node.reads("SELECT digest, write_id, affected",
             [](node_state& state, statement const& one) -> result<rows> {
               auto const found = state.operations.find(*one.parameters[0]);
               if (found == state.operations.end()) return rows_with({});
               return rows_with({{found->second.digest, found->second.write, found->second.affected}});
             });
  // The frame: user's parameters, then write id, ordinal, epoch and slot with an outbox, then the shard key.
  node.changes("WITH shardway_change AS", [](node_state& state, statement const& one) -> result<rows> {
    auto const& given = one.parameters;
    state.notes.push_back(*given[2]);
    std::vector<std::string> names{"shardway_one", std::string(captured_split_column)};
    if (one.sql.find("shardway_outbox") == std::string::npos) return rows_with({{"1", std::nullopt}}, names);
    state.write_ids.push_back(*given[3]);
    auto const version = *row_version::make(held, lsn{state.notes.size() * 8});
    names.insert(names.end(), {"shardway_version", "shardway_ordinal", "id", "customer_id", "note"});
    return rows_with(
        {{"1", std::nullopt, std::to_string(version.bigint()), given[4], given[0], given[1], given[2]}},
        names);
  });
  node.changes(insert_sql, [](node_state& state, statement const& one) -> result<rows> {
    state.notes.push_back(*one.parameters[2]);
    return affecting(1);
  });
  node.reads("set_config('shardway.in_operation'", [](node_state& state, statement const&) -> result<rows> {
    state.in_operation = true;
    return rows_with({{"on"}});
  });
  node.reads("set_config('shardway.raw'",
             [](node_state&, statement const&) -> result<rows> { return rows_with({{"t"}}); });
  node.reads("set_config('synchronous_commit', 'local'",
             [](node_state& state, statement const&) -> result<rows> {
               state.is_durable = true;
               return affecting(0);
             });
  node.reads("SELECT count(*)", [](node_state& state, statement const&) -> result<rows> {
    state.is_durable = false;  // as a function that it calls might have set
    return rows_with({{std::to_string(state.notes.size())}});
  });
  node.reads("SELECT slot_from", [](node_state& state, statement const&) -> result<rows> {
    return rows_with({{"0", "4095", std::to_string(held.value()), state.is_open ? "t" : "f", "", "f"}});
  });
}

/// The notes of the rows that a guarded apply brings: its last parameter is an array of images, and the note
/// is the third value of each.
inline std::vector<std::string> notes_in(statement const& apply) {
  std::vector<std::string> notes;
  auto const images = parse_text_array(*apply.parameters.back()).value();
  for (auto const& image : images) notes.push_back(parse_text_array(image).value().at(2));
  return notes;
}

/// A source, two shards and the host between them and the write path.
class fleet final : public write_host {
 public:
  fleet(planned_failure failing, std::shared_ptr<generation const> current, bool finds_out = true)
      : said(std::move(failing)), current_(std::move(current)), finds_out_(finds_out) {
    for (auto const* name : {"source", "shard0", "shard1"}) {
      servers.push_back(std::make_unique<server>(name, said, node_state{}));
      if (servers.size() > 1) answer_apply(*servers.back());
      answer_client(*servers.back());
    }
  }

  result<call_target> locate(std::string_view table, shard_key const& key) override {
    call_target target;
    target.current = current_;
    target.table = current_->find_table(table);
    target.group = current_->find_group("shop");
    target.slot = slot_of(key);
    auto const& authority = generation::authority_of(*target.group, target.slot);
    target.placed = current_->shard_of(target.slot);
    if (authority.shard) target.node = node_index{target.placed};
    target.node_name = name_of(target.node);
    target.epoch = authority.epoch;
    target.shard_key = {text_value{customer_of(target.placed)}};
    return target;
  }
  // A connection that cannot be had is a step as any other.
  result<lent_session> lend(node_index node, steady_time) override {
    auto& on = *servers[node.value()];
    auto const failing = said.next(on.node(), 0, "(connect)");
    if (failing) return error{error_code::node_unreachable, "no connection"}.at_node(on.node());
    return lent_session{std::make_shared<scripted_session<node_state>>(on), &facts_};
  }
  std::string name_of(node_index node) const override { return servers[node.value()]->node(); }
  result<bool> refresh(std::uint64_t, steady_time) override { return false; }
  // What the client's resolver concludes from xid and outbox, on the model.
  commit_outcome resolve(commit_question const& question) override {
    using kind = commit_outcome_kind;
    ++questions;
    auto const doubt = commit_outcome{kind::in_doubt, error{error_code::in_doubt, "not known"}};
    if (!finds_out_) return doubt;
    auto const& on = *servers[question.node.value()];
    auto const state = on.committed();
    bool const in_outbox = question.write && contains(state.write_ids, question.write->to_string());
    if (question.xid.empty()) {
      if (!question.write) return doubt;
      return {in_outbox ? kind::committed : kind::rolled_back, {}};
    }
    bool const by_xid = on.has_committed(std::stoll(question.xid));
    if (question.write && by_xid != in_outbox) return doubt;
    return {by_xid ? kind::committed : kind::rolled_back, {}};
  }
  void refused(call_target const&, error const&) noexcept override {}
  void committed(std::string const&, connection_facts const&, lsn) override {}
  milliseconds stall_budget() const noexcept override { return milliseconds{500}; }

  static bool contains(std::vector<std::string> const& all, std::string const& one) {
    return std::find(all.begin(), all.end(), one) != all.end();
  }
  static std::int64_t count(std::vector<std::string> const& all, std::string const& one) {
    return std::count(all.begin(), all.end(), one);
  }
  std::int64_t on_shards() const {
    return static_cast<std::int64_t>(servers[1]->committed().notes.size() +
                                     servers[2]->committed().notes.size());
  }
  static std::string customer_of(shard_id placed) { return std::to_string(key_on(placed)); }
  /// A customer whose slot is placed on the shard.
  static std::int64_t key_on(shard_id shard) {
    auto const placement = even_placement(2);
    for (std::int64_t id = 1;; ++id) {
      auto const slot = slot_of(shard_key(id));
      for (auto const& range : placement)
        if (range.slots.contains(slot) && range.shard == shard) return id;
    }
  }

  fake_clock clock;
  conversation said;
  std::vector<std::unique_ptr<server>> servers;
  std::vector<std::string> all_notes;  ///< that a test writes
  int questions{};

 private:
  void answer_apply(server& shard) {
    shard.changes(
        "pg_catalog.set_config('synchronous_commit', 'off'",
        [this](node_state& state, statement const& one) -> result<rows> {
          auto const source = servers.front()->committed();
          std::vector<std::vector<text_value>> answers;
          for (auto const& note : notes_in(one)) {
            if (!contains(source.notes, note))
              said.note_problem("a shard was sent " + note + ", which the source has not committed");
            state.notes.push_back(note);
            answers.push_back({"applied"});
          }
          return rows_with(answers, {"outcome"});
        });
  }

  std::shared_ptr<generation const> current_;
  bool finds_out_;
  connection_facts facts_{.system_identifier = 1,
                          .incarnation = 1,
                          .backend_pid = 1,
                          .backend_start = "then",
                          .timeline = "00000001",
                          .statistics_start = "then"};
};

}  // namespace shardway_test
