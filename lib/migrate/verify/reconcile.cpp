#include "shardway/migrate/verify/reconcile.hpp"

#include <algorithm>

#include "lib/catalog/guarded.hpp"
#include "lib/migrate/verify/read_keys.hpp"
#include "lib/migrate/verify/repair_row.hpp"
#include "shardway/base/clock.hpp"
#include "shardway/migrate/verify/verify.hpp"
#include "shardway/pg/connect.hpp"

namespace shardway {
inline namespace v0 {

using namespace migrate;
using namespace migrate::verify;
namespace {

constexpr int idle_checks_max = 5;  // checks without a repair: then the row is left alone
constexpr int checks_max = 20;      // of a row that is repaired and differs again

class group_repair {
 public:
  group_repair(verify_nodes& nodes, session& mirror, generation const& now, group_state const& group,
               std::int64_t token, verify_options const& options)
      : nodes_(nodes),
        mirror_(mirror),
        now_(now),
        group_(group),
        token_(token),
        options_(options),
        seeds_(random_seeds()) {}

  // A repair may fail because another row, which is still to be repaired, holds a unique value. Such rows are
  // retried as long as a round repairs any row.
  result<std::vector<repair_report>> run(std::vector<table_verdict> const& verdicts) {
    auto rows = rows_of(verdicts);
    while (!rows.empty()) {
      std::optional<error> refused;
      std::vector<wanted_row> remaining;
      for (auto& row : rows) {
        auto const repaired = repair_row(row);
        if (repaired) continue;
        if (repaired.error().sqlstate() != "23505") return repaired.error();
        refused = repaired.error();
        remaining.push_back(std::move(row));
      }
      if (remaining.size() == rows.size()) return *refused;
      rows = std::move(remaining);
    }
    return std::move(repairs_);
  }

 private:
  struct wanted_row {
    table_state const* table;
    std::vector<std::string> key;
    std::string digest;
    friend bool operator==(wanted_row const& a, wanted_row const& b) {
      return a.table == b.table && a.key == b.key;
    }
  };

  // Each key once, even if it was named for several nodes.
  std::vector<wanted_row> rows_of(std::vector<table_verdict> const& verdicts) const {
    std::vector<wanted_row> rows;
    for (auto const& found : verdicts)
      for (auto const& named : found.rows_named) {
        auto const* table = now_.find_table(found.relation);
        wanted_row row{table, named.key, named.key_digest};
        if (table && table->manifest.group == group_.name &&
            std::find(rows.begin(), rows.end(), row) == rows.end())
          rows.push_back(std::move(row));
      }
    return rows;
  }

  result<> repair_row(wanted_row const& row) {
    for (int idle = 0, checks = 0; idle < idle_checks_max && checks < checks_max; ++checks) {
      BOOST_OUTCOME_TRY(auto const found, read_keys(nodes_, *row.table, {row.key}, seeds_));
      auto const& rows_seen = found.at(row.key);
      if (agrees(rows_seen, now_, row.table->manifest.kind)) return success();
      auto const before = repairs_.size();
      auto const differences = classify(rows_seen, now_, group_, row.table->manifest.kind);
      if (!differences.empty() && differences.front().kind == difference_kind::conflict)
        return keep_conflict(row, differences);
      for (auto const& difference : differences) {
        BOOST_OUTCOME_TRYV(repair_difference(row, rows_seen, difference));
      }
      if (repairs_.size() > before) continue;
      ++idle;
      sleep_for(std::chrono::milliseconds{20});
    }
    return success();
  }

  // AP10: none of the rows is touched, on no node.
  result<> keep_conflict(wanted_row const& row, std::vector<row_difference> const& claims) {
    for (auto const& claim : claims) {
      auto const shard = shard_named(claim.node);
      auto& node = shard ? nodes_.shard(shard->value()) : nodes_.source();
      BOOST_OUTCOME_TRYV(run_guarded(node, token_, keep_claim_statements(*row.table, row.key, claim.node)));
      repairs_.push_back({.relation = row.table->manifest.table,
                          .node = claim.node,
                          .kind = std::string(name(difference_kind::conflict)),
                          .key_digest = row.digest});
    }
    return success();
  }

  result<> repair_difference(wanted_row const& row, rows_of_key const& rows_seen,
                             row_difference const& difference) {
    auto const shard = shard_named(difference.node);
    bool const misplaced =
        difference.kind == difference_kind::wrong_shard || difference.kind == difference_kind::two_shards;
    auto const deciding = deciding_node(rows_seen, difference, now_, group_, row.table->manifest.kind);
    auto* authority = misplaced ? nullptr : deciding ? &nodes_.shard(deciding->value()) : &nodes_.source();
    repair_target const repair{.table = *row.table,
                               .key = row.key,
                               .key_digest = row.digest,
                               .target = shard ? nodes_.shard(shard->value()) : mirror_,
                               .target_shard = shard,
                               .authority = authority,
                               .catalog = nodes_.source()};
    BOOST_OUTCOME_TRY(auto kind, repair_once(repair, token_, steady_now() + options_.recheck_wait));
    if (!kind.empty())
      repairs_.push_back({.relation = row.table->manifest.table,
                          .node = difference.node,
                          .kind = std::move(kind),
                          .key_digest = row.digest});
    return success();
  }

  std::optional<shard_id> shard_named(std::string const& node) const {
    for (std::size_t i = 0; i < now_.migration.shards.size(); ++i)
      if (now_.migration.shards[i].name == node) return shard_id{static_cast<std::uint16_t>(i)};
    return std::nullopt;
  }

  verify_nodes& nodes_;
  session& mirror_;
  generation const& now_;
  group_state const& group_;
  std::int64_t token_;
  verify_options const& options_;
  hash_seeds seeds_;
  std::vector<repair_report> repairs_;
};

}  // namespace

result<std::vector<repair_report>> reconcile_group(engine_nodes const& fleet, generation const& now,
                                                   std::string const& group,
                                                   std::vector<table_verdict> const& verdicts,
                                                   std::int64_t token, verify_options const& options) {
  auto const* state = now.find_group(group);
  if (!state) return error(error_code::invalid_argument, "there is no group " + group);
  BOOST_OUTCOME_TRY(auto nodes, verify_nodes::open(fleet));
  BOOST_OUTCOME_TRY(auto mirror, connect(fleet.source_mirror));
  return group_repair(nodes, *mirror, now, *state, token, options).run(verdicts);
}

}  // namespace v0
}  // namespace shardway
