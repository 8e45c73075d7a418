#include "lib/client/session/call_observer.hpp"

#include <algorithm>
#include <functional>

namespace shardway {
inline namespace v0 {
namespace {

using place_type = table_standing::place_type;

constexpr std::size_t statements_max = 1024;
constexpr std::size_t statement_bytes_max =
    16384;                                  // a longer text is not kept, so that its keys are not known
constexpr std::uint32_t outside = 0x10000;  // stands for the tables of no manifest where groups are counted

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// By the first word; a comment before it makes it `other`.
call_operation operation_of(std::string_view sql) noexcept {
  auto const begin = std::min(sql.find_first_not_of(" \t\r\n("), sql.size());
  sql.remove_prefix(begin);
  auto const is = [&](std::string_view word) {
    return sql.size() > word.size() &&
           std::equal(word.begin(), word.end(), sql.begin(), [](char a, char b) { return a == lower(b); });
  };
  if (is("select")) return call_operation::select;
  if (is("insert")) return call_operation::insert;
  if (is("update")) return call_operation::update;
  if (is("delete")) return call_operation::remove;
  return call_operation::other;
}

table_standing standing_in(routing_view const& view, std::string_view name) {
  auto const* found = view.routes->find(name);
  if (!found) return {place_type::unlisted, 0};
  return {found->reference ? place_type::reference : place_type::sharded, found->group};
}

// Generation, group and place in one word, to be read and written at once.
std::uint64_t note_of(std::uint64_t generation, table_standing standing) noexcept {
  return generation << 24 | static_cast<std::uint64_t>(standing.group) << 8 |
         static_cast<std::uint64_t>(standing.place);
}
table_standing standing_of(std::uint64_t note) noexcept {
  return {static_cast<place_type>(note & 0xFF), static_cast<std::uint16_t>(note >> 8 & 0xFFFF)};
}

text_value const* value_of(bound_column const& bound, std::span<text_value const> parameters,
                           text_value& literal) {
  if (bound.parameter > 0)
    return bound.parameter <= parameters.size() ? &parameters[bound.parameter - 1] : nullptr;
  literal = bound.literal;
  return &literal;
}

// The shard key that a row of the statement names, or an empty one.
shard_key key_in(table_state const& table, statement_facts const& facts, std::size_t row,
                 std::span<text_value const> parameters) {
  std::vector<shard_key> columns;
  for (auto const& name : table.manifest.shard_key) {
    auto const bound = std::ranges::find_if(
        facts.bound, [&](bound_column const& one) { return one.row == row && one.column == name; });
    auto const column = std::ranges::find(table.columns, name, &column_state::name);
    if (bound == facts.bound.end() || column == table.columns.end()) return {};
    text_value literal;
    auto const* value = value_of(*bound, parameters, literal);
    if (!value || !*value) return {};
    auto made = shard_key::from_text(column->key_type(), **value);
    if (!made) return {};
    columns.push_back(std::move(made).value());
  }
  auto whole = shard_key::composite(columns);
  return whole ? std::move(whole).value() : shard_key{};
}

}  // namespace

void transaction_notes::wrote(observed_table* table) noexcept {
  auto const end = written_.begin() + static_cast<std::ptrdiff_t>(written_count_);
  if (table && std::find(written_.begin(), end, table) != end) return;
  if (!table || written_count_ == tables_max)
    is_complete_ = false;
  else
    written_[written_count_++] = table;
}

call_observer::call_observer(generation_watch const& generations)
    : generations_(generations), statements_(statements_max) {}

table_standing call_observer::standing(std::string_view name, observed_table* table) {
  if (!table) return standing_in(*generations_.view(), name);
  auto const number = generations_.number();
  auto const held = table->note().load(std::memory_order_relaxed);
  if (held >> 24 == number && number > 0) return standing_of(held);
  auto const view = generations_.view();
  auto const found = standing_in(*view, name);
  table->note().store(note_of(view->current.number, found), std::memory_order_relaxed);
  return found;
}

void call_observer::call(call_kind kind, std::string_view table, bool has_key, std::string_view sql,
                         call_site const& site) {
  auto* const observed = collector_.table(table);
  auto const place = standing(table, observed).place;
  auto shape = call_shape::single_shard;
  if (place == place_type::unlisted)
    shape = call_shape::unlisted;
  else if (place == place_type::sharded && !has_key)
    shape = call_shape::without_key;
  collector_.count(observed, site, kind, operation_of(sql), shape);
}

statement_facts const* call_observer::facts(std::string_view sql) {
  if (sql.size() > statement_bytes_max) return nullptr;
  auto const hash = mixed_hash(std::hash<std::string_view>{}(sql));
  auto const* found = statements_.find_or_add(
      hash, [&](known_statement const& held) { return held.sql == sql; },
      [&] {
        return std::make_unique<known_statement>(known_statement{hash, std::string(sql), facts_of(sql)});
      });
  return found ? &found->facts : nullptr;
}

void call_observer::touch(transaction_notes& notes, routing_view const& view, std::string const& name,
                          bool is_written) {
  auto const known_standing = standing_in(view, name);
  if (is_written) notes.wrote(collector_.table(name));
  if (known_standing.place == place_type::unlisted) {
    if (is_written) notes.group(outside);
  } else if (is_written || known_standing.place != place_type::reference) {
    notes.group(known_standing.group);
  }
}

void call_observer::keys(transaction_notes& notes, routing_view const& view, std::string_view table,
                         statement_facts const& facts, std::span<text_value const> parameters) {
  auto const* state = view.current.find_table(table);
  if (!state || state->manifest.kind == table_kind::reference) return;
  if (facts.rows == 0) notes.is_unknown_ = true;
  for (std::size_t row = 0; row < facts.rows; ++row) {
    auto const key = key_in(*state, facts, row, parameters);
    if (auto const way = view.routes->by_key(table, key))
      notes.shard(way.value().placed.value());
    else
      notes.is_unknown_ = true;
  }
}

void call_observer::statement(transaction_notes& notes, std::string_view table, shard_key const* key,
                              std::string_view sql, std::span<text_value const> parameters) {
  auto const view = generations_.view();
  if (key) {
    if (auto const way = view->routes->by_key(table, *key)) notes.shard(way.value().placed.value());
  }
  if (sql.empty()) {
    notes.is_unknown_ = notes.is_unknown_ || !key;
    notes.is_complete_ = notes.is_complete_ && key;
    return;
  }
  auto const* known = facts(sql);
  bool const writes =
      known && known->kind != statement_kind::select && known->kind != statement_kind::locking_select;
  if (!known || !known->are_tables_known) notes.is_unknown_ = true;
  if (known)
    for (auto const& name : known->read) touch(notes, *view, name, false);
  // A table without a schema is the one that the call names.
  bool const names_all =
      known && !known->written.empty() &&
      std::ranges::all_of(known->written, [](auto const& name) { return name.find('.') != name.npos; });
  if (names_all)
    for (auto const& name : known->written) touch(notes, *view, name, true);
  else if (!table.empty())
    touch(notes, *view, std::string(table), true);
  if (key || !known || !known->are_tables_known) return;
  if (writes)
    keys(notes, *view, names_all ? std::string_view{known->written[0]} : table, *known, parameters);
  else if (known->read.size() == 1)
    keys(notes, *view, known->read[0], *known, parameters);
  else if (!known->read.empty())
    notes.is_unknown_ = true;
}

void call_observer::transaction(transaction_notes& notes, std::string_view table, shard_key const& key,
                                call_site const& site) {
  auto* const observed = collector_.table(table);
  auto const known_standing = standing(table, observed);
  if (known_standing.place == place_type::unlisted)
    notes.group(outside);
  else
    notes.group(known_standing.group);
  if (known_standing.place == place_type::sharded && !key.empty())
    if (auto const way = generations_.view()->routes->by_key(table, key))
      notes.shard(way.value().placed.value());
  auto shape = call_shape::single_shard;
  if (notes.crosses_shards_)
    shape = call_shape::crosses_shards;
  else if (notes.crosses_groups_)
    shape = call_shape::crosses_groups;
  else if (known_standing.place == place_type::unlisted)
    shape = call_shape::unlisted;
  else if (known_standing.place == place_type::sharded && key.empty())
    shape = call_shape::without_key;
  else if (notes.is_unknown_)
    shape = call_shape::not_known;
  collector_.count(observed, site, call_kind::write, call_operation::transaction, shape);
  collector_.count_together({notes.written_.data(), notes.written_count_}, notes.is_complete_);
}

}  // namespace v0
}  // namespace shardway
