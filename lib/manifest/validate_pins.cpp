// The rules of pinned keys, of shards for them, and of the catalog's node.
#include <algorithm>
#include <map>

#include "lib/manifest/checks.hpp"
#include "shardway/base/limits.hpp"
#include "shardway/manifest/generation.hpp"
#include "shardway/route/shard_key.hpp"

namespace shardway {
inline namespace v0 {
namespace {

bool has_shard(migration_manifest const& migration, std::string const& name) {
  return std::ranges::find(migration.shards, name, &node_definition::name) != migration.shards.end();
}

/// Says whether every value can be read as its type. A value is never repeated in a message: it is a key.
bool check_values(finder& found, pinned_key const& pin, std::string const& path) {
  bool good = true;
  for (std::size_t i = 0; i < pin.types.size(); ++i) {
    auto const type = key_column_of(pin.types[i]);
    if (!type) {
      found.add("M046", path + ".type", static_cast<int>(i),
                "the type " + shown(pin.types[i]) + " cannot be a shard key",
                "write smallint, integer, bigint, text, character varying, uuid or bytea: for a domain its "
                "base type, for an enum text");
    } else if (auto const key = shard_key::from_text(type.value(), pin.values[i]);
               !key || !key.value().check()) {
      found.add("M047", path + ".value", static_cast<int>(i),
                "a pinned value is not of type " + shown(pin.types[i]),
                "write it as PostgreSQL shows it: 42, a text, a uuid, or \\x and hexadecimal digits");
    } else {
      continue;
    }
    good = false;
  }
  return good;
}

class pin_checker {
 public:
  pin_checker(finder& found, migration_manifest const& migration) : found_(&found), migration_(&migration) {}

  void check(std::size_t item) {
    auto const& pin = migration_->pins[item];
    auto const path = item_path("pin", item);
    bool const known = has_shard(*migration_, pin.shard);
    if (!known)
      found_->add("M044", path + ".shard", 0,
                  "a key is pinned to " + shown(pin.shard) + ", which is not a shard",
                  "write the name of one of the shards");
    if (pin.types.empty() || pin.types.size() > limits::shard_key_columns_max ||
        pin.types.size() != pin.values.size()) {
      found_->add("M045", path, 0,
                  "the pin has " + std::to_string(pin.types.size()) + " types and " +
                      std::to_string(pin.values.size()) + " values",
                  "write one type and one value for each column of the shard key: 1 to 4 of each");
      return;
    }
    if (!check_values(*found_, pin, path)) return;
    auto const slot = slot_of(pin);
    if (slot && known) check_slot(item, slot.value());
  }

 private:
  void check_slot(std::size_t item, slot_id slot) {
    auto const [held, fresh] = by_slot_.emplace(slot, item);
    if (fresh) return;
    auto const& pin = migration_->pins[item];
    auto const& other = migration_->pins[held->second];
    auto const number = std::to_string(slot.value());
    if (other.values == pin.values && other.shard == pin.shard)
      found_->add("M049", item_path("pin", item), 0, "a key is pinned twice", "keep one of the two pins");
    else if (other.shard != pin.shard)
      found_->add("M048", item_path("pin", item) + ".shard", 0,
                  "slot " + number + " is pinned to " + shown(other.shard) + " and to " + shown(pin.shard) +
                      ": both keys have that slot",
                  "pin them to one shard: a slot is never divided");
  }

  finder* found_;
  migration_manifest const* migration_;
  std::map<slot_id, std::size_t> by_slot_;
};

}  // namespace

void check_pins(finder& found, migration_manifest const& migration) {
  pin_checker checker{found, migration};
  for (std::size_t i = 0; i < migration.pins.size(); ++i) checker.check(i);
  int index = 0;
  auto const refuse = [&](node_definition const& node) {
    if (node.pinned_only)
      found.add("M042", "node.pinned_only", index,
                "the node " + shown(node.name) + " is pinned_only and not a shard",
                "remove pinned_only: it is for shards");
    ++index;
  };
  refuse(migration.source);
  for (auto const& replica : migration.source.replicas) refuse(replica);
  std::size_t pinned_only = 0;
  for (auto const& shard : migration.shards) {
    bool const is_named =
        std::ranges::find(migration.pins, shard.name, &pinned_key::shard) != migration.pins.end();
    pinned_only += shard.pinned_only;
    if (shard.pinned_only && !is_named)
      found.add("M056", "node.pinned_only", index,
                "the shard " + shown(shard.name) + " is pinned_only, and no pin names it",
                "pin a key to it, or remove pinned_only: it would hold nothing");
    ++index;
    for (auto const& replica : shard.replicas) refuse(replica);
  }
  if (!migration.shards.empty() && pinned_only == migration.shards.size())
    found.add("M043", "shard", 0, "every shard is pinned_only",
              "remove pinned_only from at least one: keys without a pin need a shard");
}

void check_catalog(finder& found, migration_manifest const& migration) {
  if (migration.catalog.empty() || migration.catalog == migration.source.name) return;
  found.add("M050", "catalog", 0,
            "the manifest puts the catalog on " + shown(migration.catalog) +
                ", and this version keeps it on the source",
            "remove catalog, or write the source's name");
}

void check_pin_lengths(finder& found, migration_manifest const& migration,
                       std::span<table_file const> tables) {
  auto const has_length = [&](std::size_t columns) {
    return std::ranges::any_of(
        tables, [&](table_file const& file) { return file.manifest.shard_key.size() == columns; });
  };
  for (std::size_t i = 0; i < migration.pins.size(); ++i) {
    auto const columns = migration.pins[i].types.size();
    if (columns == migration.pins[i].values.size() && !has_length(columns))
      found.add(
          "M057", item_path("pin", i), 0,
          "a key of " + std::to_string(columns) + " columns is pinned, and no table has such a shard key",
          "write one type and value for each column of the shard key, in its order");
  }
}

}  // namespace v0
}  // namespace shardway
