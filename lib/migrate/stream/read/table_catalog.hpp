// The tables of a generation as a stream follows them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lib/migrate/stream/followed_table.hpp"
#include "shardway/manifest/generation.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

/// The tables of a generation by name. Immutable.
class table_catalog {
 public:
  /// A table that is as it was in `before` stays the same object, so that prepared statements and checks stay
  /// valid. Errors: as `follow_table`.
  static result<std::shared_ptr<table_catalog const>> make(std::shared_ptr<generation const>,
                                                           table_catalog const* before);
  /// Null if the generation has no such table.
  table_ptr find(std::string const& name) const;
  generation const& routing() const noexcept { return *routing_; }
  std::size_t shard_of(slot_id slot) const { return shards_[slot.value()]; }
  std::size_t shard_count() const noexcept { return routing_->migration.shards.size(); }
  std::map<std::string, table_ptr> const& tables() const noexcept { return tables_; }

 private:
  std::shared_ptr<generation const> routing_;
  std::map<std::string, table_ptr> tables_;
  std::vector<std::uint16_t> shards_;  // by slot
};

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
