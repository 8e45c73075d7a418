#include "lib/protocol/names.hpp"

#include <cstdio>

#include "shardway/route/hash.hpp"

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

constexpr std::size_t identifier_bytes_max = 63;
constexpr std::size_t digest_digits = 16;

// PostgreSQL truncates longer names, so two tables whose names begin alike would share a function. A digest
// of the whole name keeps them apart (P1).
std::string shortened(std::string identifier) {
  if (identifier.size() <= identifier_bytes_max) return identifier;
  char digest[digest_digits + 1];
  std::snprintf(digest, sizeof digest, "%08x%08x",
                static_cast<unsigned>(XXH32(identifier.data(), identifier.size(), 0)),
                static_cast<unsigned>(XXH32(identifier.data(), identifier.size(), 1)));
  auto kept = identifier_bytes_max - digest_digits - 1;
  while (kept > 0 && (static_cast<unsigned char>(identifier[kept]) & 0xC0) == 0x80)
    --kept;  // never cuts inside a character
  identifier.resize(kept);
  return identifier.append(1, '_').append(digest);
}

}  // namespace

std::string quoted(std::string_view identifier) { return doubled(identifier, '"'); }

std::string quoted_table(std::string_view schema_and_name) {
  auto const dot = schema_and_name.find('.');
  return quoted(schema_and_name.substr(0, dot)) + '.' + quoted(schema_and_name.substr(dot + 1));
}

std::string literal(std::string_view text) {
  if (text.find('\\') == std::string_view::npos) return doubled(text, '\'');
  std::string escaped;
  for (char const c : text) escaped.append(c == '\\' ? 2 : 1, c);
  return " E" + doubled(escaped, '\'');
}

std::string fence(std::string_view group) { return "shardway." + quoted("fence_" + std::string(group)); }
std::string fence_lock(std::string_view group) {
  return "shardway." + quoted("fence_lock_" + std::string(group));
}
std::string apply_function(std::string_view schema_and_name) {
  return "shardway." + quoted(shortened("apply_" + std::string(schema_and_name)));
}
std::string capture_function(std::string_view schema_and_name) {
  return "shardway." + quoted(shortened("capture_" + std::string(schema_and_name)));
}
std::string key_change_function(std::string_view schema_and_name) {
  return "shardway." + quoted(shortened("key_change_" + std::string(schema_and_name)));
}
// A lookup's name holds no dot, so it begins after the last dot.
std::string lookup_table(std::string_view schema_and_name, std::string_view lookup) {
  return "shardway." +
         quoted(shortened("lookup_" + std::string(schema_and_name) + '.' + std::string(lookup)));
}
std::string publication(std::string_view migration) { return "shardway_" + std::string(migration); }
std::string forward_replication_slot(std::string_view migration) {
  return "shardway_" + std::string(migration) + "_source";
}
std::string reverse_replication_slot(std::string_view migration, std::string_view shard_node) {
  return "shardway_" + std::string(migration) + "_" + std::string(shard_node);
}

}  // namespace names
}  // namespace v0
}  // namespace shardway
