// Reads and writes by a lookup: the value's shard keys first, then each of them as any call by shard key.
#include <algorithm>

#include "lib/authority/unlisted_table.hpp"
#include "lib/client/session/session_read.hpp"
#include "lib/protocol/lookup.hpp"
#include "lib/store/first_error.hpp"
#include "shardway/route/slot.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using std::chrono::milliseconds;
using key_list = std::vector<shard_key>;

constexpr milliseconds poll_interval{3};
constexpr int tries_max = 3;  // if all mappings of a value turn out stale while others take their place

steady_time now() { return system_clock_source().now(); }

result<key_list> keys_in(lookup_of_table const& table_lookup, rows const& found) {
  if (found.size() > lookup_keys_max)
    return error{error_code::invalid_argument,
                 "lookup \"" + table_lookup.lookup->name + "\" of " + table_lookup.table->manifest.table +
                     ": the value leads to more than " + std::to_string(lookup_keys_max) + " shard keys",
                 "read it with a shard key, or where the manifest allows it on every node"};
  key_list keys;
  for (std::size_t row = 0; row < found.size(); ++row) {
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < found.columns().size(); ++i) texts.emplace_back(found.text(row, i));
    BOOST_OUTCOME_TRY(auto key,
                      key_from_texts(*table_lookup.table, table_lookup.table->manifest.shard_key, texts));
    keys.push_back(std::move(key));
  }
  return keys;
}

class resolver {
 public:
  resolver(session_state& session, std::string_view table, std::string_view lookup, shard_key const& value,
           steady_time deadline)
      : session_(session), table_(table), lookup_(lookup), value_(value), deadline_(deadline) {}

  result<key_list> keys() {
    auto& generations = session_.shared->generations;
    if (session_.token.generation() > generations.number())
      (void)generations.refresh(generations.number(), deadline_);
    auto const budget_end = std::min(deadline_, now() + session_.shared->options.stall_budget);
    for (;;) {
      auto const view = generations.view();
      BOOST_OUTCOME_TRY(auto const found, find_keys(*view));
      if (found) return *found;
      // Slots have moved away from the source since this generation.
      if (now() >= budget_end)
        return error{
            error_code::stall_budget_spent,
            "lookup \"" + std::string(lookup_) + "\" of " + std::string(table_) +
                ": the source has not authority for every slot, and no newer generation says who has"};
      (void)generations.refresh(view->current.number, budget_end);
      system_clock_source().sleep_until(std::min(budget_end, now() + poll_interval));
    }
  }

 private:
  result<std::optional<key_list>> find_keys(routing_view const& view) {
    auto const* table = view.current.find_table(table_);
    if (!table) return unlisted_table(table_, view.current);
    auto const table_lookup = find_lookup(*table, lookup_);
    if (!table_lookup)
      return error{error_code::invalid_argument,
                   "table " + std::string(table_) + " has no lookup \"" + std::string(lookup_) + "\"",
                   "the manifest names its lookups"};
    BOOST_OUTCOME_TRY(auto const texts, lookup_texts(*table_lookup, value_));
    auto const& group = *view.current.find_group(table->manifest.group);
    bool const moved = std::any_of(group.authority.begin(), group.authority.end(),
                                   [](auto const& range) { return range.shard.has_value(); });
    if (moved) return find_on_shard(view, *table_lookup, texts);
    return find_on_source(group, *table_lookup, texts);
  }

  // The source has all rows, and their own columns hold the shard key. Afterwards the flush asks whether
  // the source still has authority.
  result<std::optional<key_list>> find_on_source(group_state const& group,
                                                 lookup_of_table const& table_lookup,
                                                 std::vector<std::string> const& texts) {
    BOOST_OUTCOME_TRY(auto lent, session_.lend(source_node, deadline_));
    std::vector<statement> all{source_find_statement(table_lookup, texts, lookup_keys_max + 1)};
    if (group.stage != stage::observing) all.push_back(all_open_statement(group.name));
    BOOST_OUTCOME_TRY(auto const answers, lent.link->flush(all, deadline_));
    if (auto const done = first_error(answers); !done)
      return done.error().at_node(session_.name_of(source_node));
    if (answers.size() > 1 && !answers[1].value().boolean(0, 0)) return std::nullopt;
    BOOST_OUTCOME_TRY(auto keys, keys_in(table_lookup, answers[0].value()));
    return keys;
  }

  result<std::optional<key_list>> find_on_shard(routing_view const& view, lookup_of_table const& table_lookup,
                                                std::vector<std::string> const& texts) {
    node_index const node{lookup_shard(view.current, value_)};
    BOOST_OUTCOME_TRY(auto lent, session_.lend(node, deadline_));
    statement const both[]{lookup_find_statement(table_lookup, texts, lookup_keys_max + 1),
                           lookup_ready_statement(table_lookup)};
    BOOST_OUTCOME_TRY(auto const answers, lent.link->flush(both, deadline_));
    if (auto const done = first_error(answers); !done) return done.error().at_node(session_.name_of(node));
    if (!answers[1].value().boolean(0, 0))
      return error{error_code::precondition_failed,
                   "lookup \"" + table_lookup.lookup->name + "\" of " + table_lookup.table->manifest.table +
                       " is building: rows of slots that have moved can't be found by it yet",
                   "shardway lookup build --table " + table_lookup.table->manifest.table + " --name " +
                       table_lookup.lookup->name}
          .at_node(session_.name_of(node));
    BOOST_OUTCOME_TRY(auto keys, keys_in(table_lookup, answers[0].value()));
    return keys;
  }

  session_state& session_;
  std::string_view table_, lookup_;
  shard_key const& value_;
  steady_time deadline_;
};

// The caller's parameters, then the shard key's columns.
std::vector<text_value> with_key(std::vector<text_value> parameters, shard_key const& key) {
  for (std::size_t i = 0; i < key.columns(); ++i) parameters.emplace_back(key.text_of(i));
  return parameters;
}

milliseconds left_of(steady_time deadline) {
  return std::max(milliseconds{1}, std::chrono::duration_cast<milliseconds>(deadline - now()));
}

/// Rows of several answers of one statement, one after another.
class row_joiner {
 public:
  void add(rows const& more) {
    if (columns_.empty()) columns_ = more.columns();
    for (std::size_t row = 0; row < more.size(); ++row)
      for (std::size_t column = 0; column < columns_.size(); ++column) {
        auto const value = more.at(row, column);
        values_.push_back(value ? text_value(std::string(*value)) : text_value());
      }
    count_ += more.size();
  }
  rows joined() {
    return rows(std::move(columns_), count_, std::move(values_), static_cast<std::int64_t>(count_));
  }

 private:
  std::vector<rows::column> columns_;
  std::vector<text_value> values_;
  std::size_t count_{};
};

result<lookup_answer> read_each(session_state& session, std::string_view table, key_list keys,
                                std::string_view sql, std::vector<text_value> const& parameters,
                                read_options options, steady_time deadline) {
  lookup_answer answer{.returned = {}, .keys = std::move(keys), .keys_without_rows = 0, .nodes = {}};
  row_joiner all;
  for (auto const& key : answer.keys) {
    options.deadline = left_of(deadline);
    BOOST_OUTCOME_TRY(
        auto one,
        read_in_session(session, table, key,
                        {.sql = std::string(sql), .parameters = with_key(parameters, key)}, options));
    answer.keys_without_rows += one.returned.empty() ? 1 : 0;
    all.add(one.returned);
    answer.nodes.push_back(std::move(one.node));
  }
  answer.returned = all.joined();
  return answer;
}

}  // namespace

result<std::vector<shard_key>> client_session::lookup(std::string_view table, std::string_view lookup,
                                                      shard_key const& value, milliseconds deadline) {
  if (deadline <= milliseconds{0})
    return error{error_code::invalid_argument, "a lookup's deadline must be above 0"};
  return resolver(*state_, table, lookup, value, now() + deadline).keys();
}

result<lookup_answer> client_session::read_by(std::string_view table, std::string_view lookup,
                                              shard_key const& value, std::string_view sql,
                                              std::vector<text_value> parameters,
                                              read_options const& options) {
  if (options.deadline <= milliseconds{0})
    return error{error_code::invalid_argument, "a read's deadline must be above 0"};
  auto const deadline = now() + options.deadline;
  resolver value_of{*state_, table, lookup, value, deadline};
  BOOST_OUTCOME_TRY(auto keys, value_of.keys());
  for (int tries = 1;; ++tries) {
    BOOST_OUTCOME_TRY(auto answer,
                      read_each(*state_, table, std::move(keys), sql, parameters, options, deadline));
    if (answer.keys.empty() || !answer.returned.empty() || tries == tries_max) return answer;
    // A row may have moved to another shard key in between.
    BOOST_OUTCOME_TRY(keys, value_of.keys());
    if (keys == answer.keys) return answer;
  }
}

result<std::optional<write_receipt>> client_session::execute_by(std::string_view table,
                                                                std::string_view lookup,
                                                                shard_key const& value, std::string_view sql,
                                                                std::vector<text_value> parameters,
                                                                write_options const& options) {
  if (options.deadline <= milliseconds{0})
    return error{error_code::invalid_argument, "a write's deadline must be above 0"};
  // An operation id is recorded where the shard key is, and the value may lead to another key when the
  // call is repeated.
  if (!options.operation_id.empty())
    return error{error_code::invalid_argument, "a write by a lookup takes no operation id",
                 "look the key up, and name the write by its key"};
  auto const deadline = now() + options.deadline;
  auto const view = state_->shared->generations.view();
  auto const* found = view->current.find_table(table);
  auto const table_lookup = found ? find_lookup(*found, lookup) : std::nullopt;
  if (table_lookup && !table_lookup->lookup->unique)
    return error{error_code::invalid_argument,
                 "lookup \"" + std::string(lookup) + "\" of " + std::string(table) +
                     " is not unique: a write by it could change"
                     " rows of several shard keys",
                 "look the keys up and write each"};
  resolver value_of{*state_, table, lookup, value, deadline};
  BOOST_OUTCOME_TRY(auto keys, value_of.keys());
  for (int tries = 1;; ++tries) {
    if (keys.empty()) return std::nullopt;
    if (keys.size() > 1)
      return error{error_code::precondition_failed,
                   "lookup \"" + std::string(lookup) + "\" of " + std::string(table) +
                       " is unique in the manifest, and rows of several shard keys have the value",
                   "shardway lookup check names how many"};
    auto given = options;
    given.deadline = left_of(deadline);
    BOOST_OUTCOME_TRY(auto receipt,
                      execute(table, keys.front(), sql, with_key(parameters, keys.front()), given));
    if (receipt.affected > 0 || receipt.answer_lost || tries == tries_max) return receipt;
    BOOST_OUTCOME_TRY(auto again, value_of.keys());
    if (again == keys) return receipt;
    keys = std::move(again);
  }
}

}  // namespace v0
}  // namespace shardway
