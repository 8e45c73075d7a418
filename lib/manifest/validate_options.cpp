// The rules of a table's options: lookups, reads, ids.
#include <algorithm>

#include "lib/manifest/checks.hpp"
#include "shardway/base/limits.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using namespace std::chrono_literals;

constexpr auto scatter_budget_max = 60'000ms;
constexpr std::uint32_t fan_out_limit = 1024;
constexpr std::uint32_t id_block_max = 1'000'000;
constexpr std::size_t lookup_name_bytes_max = 30;

std::vector<std::string> sorted(std::vector<std::string> names) {
  std::ranges::sort(names);
  return names;
}

void check_lookup_columns(finder& found, table_manifest const& table, std::size_t item) {
  auto const& lookup = table.lookups[item];
  auto const field = item_path("lookup", item) + ".column";
  check_names(found, field, "lookup column", lookup.columns);
  if (lookup.columns.empty() || lookup.columns.size() > limits::shard_key_columns_max)
    found.add("M031", field, static_cast<int>(limits::shard_key_columns_max),
              "the lookup " + shown(lookup.name) + " has " + std::to_string(lookup.columns.size()) +
                  " columns, not 1 to 4",
              "name the columns that the query compares: one is best");
  else if (sorted(lookup.columns) == sorted(table.shard_key))
    found.add("M033", field, 0, "the lookup " + shown(lookup.name) + " is over the shard key itself",
              "remove it: rows are found by their shard key without a lookup");
}

void check_lookup(finder& found, table_manifest const& table, std::size_t item) {
  auto const& lookup = table.lookups[item];
  auto const path = item_path("lookup", item);
  if (!is_plain_name(lookup.name, lookup_name_bytes_max))
    found.add(
        "M029", path + ".name", 0,
        "the lookup name " + shown(lookup.name) + " is not of the form [a-z][a-z0-9_]*, at most 30 bytes",
        "choose a short name in small letters, such as \"by_email\"");
  check_lookup_columns(found, table, item);
  auto const end = table.lookups.begin() + static_cast<std::ptrdiff_t>(item);
  if (std::any_of(table.lookups.begin(), end, [&](auto const& other) { return other.name == lookup.name; }))
    found.add("M030", path + ".name", 0, "two lookups are named " + shown(lookup.name),
              "give each lookup its own name");
  else if (std::any_of(table.lookups.begin(), end,
                       [&](auto const& other) { return sorted(other.columns) == sorted(lookup.columns); }))
    found.add("M032", path + ".column", 0,
              "the lookup " + shown(lookup.name) + " has the columns of another one",
              "keep one of them: each is written on every change");
}

void check_percent(finder& found, std::string_view field, std::uint32_t percent) {
  if (percent <= 100) return;
  found.add("M036", field, 0, std::to_string(percent) + " percent is more than 100", "write 0 to 100");
}

}  // namespace

void check_lookups(finder& found, table_manifest const& table) {
  if (table.kind == table_kind::reference && !table.lookups.empty()) {
    found.add("M034", "lookup", 0, "a reference table has a lookup",
              "remove it: every node holds all rows of a reference table");
    return;
  }
  if (table.capture == capture_kind::trigger && !table.lookups.empty())
    found.add("M060", "capture", 0, "the table has lookups, and is captured by triggers",
              "remove capture, or the lookups: a lookup is kept from framed statements");
  for (std::size_t i = 0; i < table.lookups.size(); ++i) check_lookup(found, table, i);
}

void check_reads(finder& found, table_manifest const& table) {
  auto const& reads = table.reads;
  check_percent(found, "reads.from_shards_percent", reads.from_shards_percent);
  check_percent(found, "reads.shadow_percent", reads.shadow_percent);
  if (reads.fan_out_max < 1 || reads.fan_out_max > fan_out_limit)
    found.add("M037", "reads.fan_out_max", 0,
              "fan_out_max is " + std::to_string(reads.fan_out_max) + ", not 1 to 1024",
              "64 is the default; reads that would ask more nodes are refused");
  if (reads.scatter_budget <= 0ms || reads.scatter_budget > scatter_budget_max)
    found.add("M038", "reads.scatter_budget_ms", 0,
              "the scatter budget of " + std::to_string(reads.scatter_budget.count()) +
                  " ms is not between 1 and 60000",
              "1000 is the default; a scatter read ends with an error after it");
  if (table.kind == table_kind::reference && reads != read_policy{})
    found.add("M039", "reads", 0, "a reference table has read options",
              "remove reads: each read of a reference table asks one node, by its own rules");
}

void check_ids(finder& found, table_manifest const& table) {
  if (table.id_stride < 2 || table.id_stride > 4096)
    found.add("M014", "ids.stride", 0,
              "the stride of " + std::to_string(table.id_stride) + " is not between 2 and 4096",
              "take more than the number of shards you will ever have");
  if (table.ids != id_strategy_kind::external && table.kind == table_kind::reference)
    found.add("M015", "ids.strategy", 0, "a reference table has an id strategy",
              "remove ids: only the source gives a reference table ids");
  if (table.id_block < 1 || table.id_block > id_block_max)
    found.add("M040", "ids.block", 0,
              "the block of " + std::to_string(table.id_block) + " ids is not between 1 and 1000000",
              "1000 is the default; a client that ends leaves the rest of its block unused");
  if (table.ids == id_strategy_kind::slot && table.kind == table_kind::sharded && table.key.size() > 1)
    found.add("M041", "ids.strategy", 0,
              "ids that carry their slot need a primary key of one column, and this one has " +
                  std::to_string(table.key.size()),
              "use LEASED or INTERLEAVED, or a primary key of one bigint column");
}

}  // namespace v0
}  // namespace shardway
