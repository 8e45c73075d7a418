// Every object that the onboarded tables reach is carried, refused with a way out, or unknown and refused.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "lib/migrate/preflight/checks.hpp"
#include "lib/migrate/preflight/object_facts.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {

/// An id of these rules, and what is so if no finding has it.
struct object_rule {
  std::string_view id;
  bool on_source{}, on_shards{};
  std::string_view passed;
};
std::span<object_rule const> object_rules();

/// The findings of the source, and of a shard compared with it. Pure. Each rule has at least one, also when
/// it passes.
std::vector<finding> judge_source(migration_manifest const&, std::vector<table_manifest> const&,
                                  source_objects const&);
std::vector<finding> judge_shard(migration_manifest const&, std::vector<table_manifest> const&,
                                 source_objects const&, shard_objects const&);

/// Reads the source and adds its findings; `all` tables of the manifests, whichever are looked at. Nothing:
/// it could not be read, which is a finding too.
std::optional<source_objects> check_objects(context const& source, std::vector<table_manifest> const& all);
/// The same for a shard.
void check_objects_on_shard(context const& shard, source_objects const&);

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
