#include "lib/migrate/stream/read/copy_registry.hpp"

#include <algorithm>

#include "lib/migrate/stream/number_of.hpp"
#include "shardway/base/ensure.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {
namespace {

bool is_below(key_order order, std::string const& value, std::string const& bound) {
  if (order == key_order::integer) return number_of<std::int64_t>(value) < number_of<std::int64_t>(bound);
  return value < bound;  // uuids: the text form of the server orders as the bytes do
}

}  // namespace

// Only types that every server orders alike are cut into chunks: a collation may order text keys differently
// elsewhere (CP5).
key_order order_of(followed_table const& table) {
  auto const& type = table.sent[table.key.front()].type;
  if (type == "smallint" || type == "integer" || type == "bigint") return key_order::integer;
  return type == "uuid" ? key_order::uuid : key_order::whole;
}

result<followed_chunk*> followed_copy::find(std::vector<std::string> const& key) {
  auto const& value = key.front();
  if (order == key_order::integer && !number_of<std::int64_t>(value))
    return error{error_code::corrupt_data,
                 "the stream shows a key of table " + table->name() + " that is not of its type"};
  if (order == key_order::whole || chunks.size() == 1) return &chunks.front();
  auto const past = std::partition_point(chunks.begin() + 1, chunks.end(), [&](auto const& chunk) {
    return !is_below(order, value, *chunk.range.lower);
  });
  return &*std::prev(past);
}

void copy_registry::put(followed_copy copy) {
  copy.unfinished =
      static_cast<std::size_t>(std::count_if(copy.chunks.begin(), copy.chunks.end(), [](auto const& chunk) {
        return chunk.machine.route() != chunk_route::apply;
      }));
  auto const name = copy.table->name();
  copies_.insert_or_assign(name, std::move(copy));
}

followed_copy* copy_registry::find(std::string const& table) {
  auto const found = copies_.find(table);
  return found == copies_.end() ? nullptr : &found->second;
}

followed_copy const* copy_registry::find(std::string const& table) const {
  auto const found = copies_.find(table);
  return found == copies_.end() ? nullptr : &found->second;
}

followed_chunk& copy_registry::chunk(std::string const& table, std::size_t number) {
  auto* copy = find(table);
  ensure(copy && number < copy->chunks.size(), "a chunk that is copied stays registered");
  return copy->chunks[number];
}

followed_chunk const& copy_registry::chunk(std::string const& table, std::size_t number) const {
  auto const* copy = find(table);
  ensure(copy && number < copy->chunks.size(), "a chunk that is copied stays registered");
  return copy->chunks[number];
}

void copy_registry::replace_table(table_ptr table) {
  if (auto* copy = find(table->name())) copy->table = std::move(table);
}

table_copy_progress copy_registry::progress(std::string const& table) const {
  table_copy_progress progress{.table = table};
  auto const* copy = find(table);
  if (!copy) return progress;
  progress.chunks = static_cast<std::int64_t>(copy->chunks.size());
  for (auto const& chunk : copy->chunks) {
    if (chunk.machine.step() != chunk_step::closed) continue;
    ++progress.chunks_closed;
    progress.rows += chunk.rows;
    progress.bytes += chunk.bytes;
  }
  return progress;
}

result<chunk_route> copy_registry::route(stream_change const& change, followed_chunk** chunk) {
  auto* copy = find(change.table->name());
  if (!copy || copy->chunks.empty()) return chunk_route::skip;
  if (copy->unfinished == 0) return chunk_route::apply;
  BOOST_OUTCOME_TRY(*chunk, copy->find(change.key));
  return (*chunk)->machine.route();
}

void copy_registry::defer(followed_chunk& chunk, std::size_t shard, stream_change change) {
  deferred_bytes_ += size_of(change);
  chunk.kept.push_back({shard, std::move(change)});
}

std::vector<followed_chunk::deferred> copy_registry::drain(followed_chunk& chunk) {
  auto all = std::move(chunk.kept);
  chunk.kept.clear();
  for (auto const& one : all) deferred_bytes_ -= size_of(one.change);
  std::erase_if(all, [&](auto const& one) { return !chunk.machine.is_wanted(one.change.xid); });
  return all;
}

void copy_registry::empty(followed_copy& copy, lsn end) {
  for (auto& chunk : copy.chunks)
    if (chunk.machine.route() == chunk_route::defer) chunk.is_emptied = true;
  emptied_until_[copy.table->name()] = end;
}

lsn copy_registry::emptied_until(std::string const& table) const {
  auto const found = emptied_until_.find(table);
  return found == emptied_until_.end() ? lsn{} : found->second;
}

void copy_registry::drop_deferred(followed_chunk& chunk) {
  for (auto const& one : chunk.kept) deferred_bytes_ -= size_of(one.change);
  chunk.kept.clear();
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
