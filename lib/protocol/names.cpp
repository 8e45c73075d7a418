#include "shardway/protocol/names.hpp"

namespace shardway {
inline namespace v0 {
namespace names {
namespace {

std::string doubled(std::string_view text, char mark) {
  std::string out(1, mark);
  for (char c : text) {
    if (c == mark) out += mark;
    out += c;
  }
  return out += mark;
}

}  // namespace

std::string quoted(std::string_view identifier) { return doubled(identifier, '"'); }

std::string quoted_table(std::string_view schema_and_name) {
  auto const dot = schema_and_name.find('.');
  return quoted(schema_and_name.substr(0, dot)) + '.' + quoted(schema_and_name.substr(dot + 1));
}

std::string literal(std::string_view text) { return doubled(text, '\''); }

std::string fence(std::string_view group) { return "shardway." + quoted("fence_" + std::string(group)); }
std::string fence_lock(std::string_view group) { return "shardway." + quoted("fence_lock_" + std::string(group)); }
std::string apply_function(std::string_view schema_and_name) { return "shardway." + quoted("apply_" + std::string(schema_and_name)); }
std::string publication(std::string_view migration) { return "shardway_" + std::string(migration); }
std::string forward_replication_slot(std::string_view migration) { return "shardway_" + std::string(migration) + "_source"; }
std::string reverse_replication_slot(std::string_view migration, std::string_view shard_node) {
  return "shardway_" + std::string(migration) + "_" + std::string(shard_node);
}

}  // namespace names
}  // namespace v0
}  // namespace shardway
