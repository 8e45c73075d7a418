// Building, checking and repairing a lookup: rows against mappings, then mappings against rows.
#include "lib/migrate/lookup/job.hpp"

#include <map>

#include "lib/catalog/guarded.hpp"
#include "lib/migrate/lookup/claims.hpp"
#include "shardway/route/slot.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::lookup {
namespace {

using entry_list = std::vector<lookup_entry>;

constexpr std::size_t page_rows = 1000;

class lookup_job {
 public:
  lookup_job(node_sessions const& nodes, generation const& now, lookup_of_table const& lookup,
             lookup_task task, std::int64_t token)
      : nodes_(nodes),
        now_(now),
        lookup_(lookup),
        task_(task),
        token_(token),
        claims_(nodes, now, lookup, token) {
    report_.relation = lookup.table->manifest.table;
    report_.lookup = lookup.lookup->name;
  }

  result<lookup_report> run() {
    BOOST_OUTCOME_TRYV(rows_of(*nodes_.source));
    for (auto* shard : nodes_.shards) {
      BOOST_OUTCOME_TRYV(rows_of(*shard));
    }
    for (std::size_t i = 0; task_ != lookup_task::build && i < nodes_.shards.size(); ++i) {
      BOOST_OUTCOME_TRYV(mappings_of(shard_id{static_cast<std::uint16_t>(i)}));
    }
    return report_;
  }

 private:
  // Rows that the node has authority for: copies on shards and on the mirror's side are others' to answer
  // for.
  result<> rows_of(session& node) {
    lookup_entry last;
    for (bool first = true;; first = false) {
      BOOST_OUTCOME_TRY(auto const page,
                        node.query(base_page_statement(lookup_, first ? nullptr : &last, page_rows)));
      if (page.empty()) return success();
      BOOST_OUTCOME_TRY(auto entries, parse_base_page(lookup_, page, last));
      std::map<session*, entry_list> by_shard;
      for (auto& entry : entries) {
        BOOST_OUTCOME_TRY(auto const position, claims_.place_of(entry.owner));
        if (position.node != &node) continue;
        ++report_.rows;
        by_shard[&claims_.holder_of(entry.value)].push_back(std::move(entry));
      }
      for (auto const& [shard, some] : by_shard) {
        BOOST_OUTCOME_TRYV(without_mapping(*shard, node, some));
      }
    }
  }

  result<> without_mapping(session& shard, session& node, entry_list const& entries) {
    BOOST_OUTCOME_TRY(auto const missing, picked(shard, without_mapping_statement(entries), entries));
    if (missing.empty()) return success();
    if (task_ == lookup_task::build) return build(shard, missing);
    // A row that has changed since the page was read needs no mapping any more.
    BOOST_OUTCOME_TRY(auto const gone, picked(node, without_row_statement(missing), missing));
    report_.missing += static_cast<std::int64_t>(missing.size() - gone.size());
    if (task_ == lookup_task::check) return success();
    for (auto const& entry : missing) {
      BOOST_OUTCOME_TRYV(counted(claims_.add(entry), report_.added));
    }
    return success();
  }

  // A mapping too many does no harm, so that no row is locked; a value of a unique lookup that is not free is
  // looked into, one by one.
  result<> build(session& shard, entry_list const& missing) {
    BOOST_OUTCOME_TRY(auto const done, run_guarded(shard, token_, {lookup_insert_statement(missing)}));
    report_.missing += done.front().affected();
    report_.added += done.front().affected();
    if (!lookup_.lookup->unique) return success();
    BOOST_OUTCOME_TRY(auto const taken, picked(shard, without_mapping_statement(missing), missing));
    for (auto const& entry : taken) {
      auto const before = report_.added;
      BOOST_OUTCOME_TRYV(counted(claims_.add(entry), report_.added));
      report_.missing += report_.added - before;
    }
    return success();
  }

  result<> mappings_of(shard_id shard) {
    auto& node = *nodes_.shards[shard.value()];
    lookup_entry last;
    for (bool first = true;; first = false) {
      BOOST_OUTCOME_TRY(auto const page,
                        node.query(lookup_page_statement(lookup_, first ? nullptr : &last, page_rows)));
      if (page.empty()) return success();
      BOOST_OUTCOME_TRY(auto entries, parse_lookup_page(lookup_, page));
      last = entries.back();
      report_.mappings += static_cast<std::int64_t>(entries.size());
      std::map<session*, entry_list> by_node;
      for (auto& entry : entries) {
        if (lookup_shard(now_, entry.value) != shard) {
          BOOST_OUTCOME_TRYV(misplaced(node, entry));
          continue;
        }
        BOOST_OUTCOME_TRY(auto const position, claims_.place_of(entry.owner));
        by_node[position.node].push_back(std::move(entry));
      }
      for (auto const& [authority, some] : by_node) {
        BOOST_OUTCOME_TRYV(without_row(*authority, some));
      }
    }
  }

  // Nobody looks there: it can go at once.
  result<> misplaced(session& node, lookup_entry const& entry) {
    ++report_.misplaced;
    if (task_ != lookup_task::repair) return success();
    BOOST_OUTCOME_TRY(auto const done, run_guarded(node, token_, {lookup_remove_statement(entry)}));
    report_.removed += done.front().affected();
    return success();
  }

  result<> without_row(session& authority, entry_list const& entries) {
    BOOST_OUTCOME_TRY(auto const stale, picked(authority, without_row_statement(entries), entries));
    report_.stale += static_cast<std::int64_t>(stale.size());
    if (task_ != lookup_task::repair) return success();
    for (auto const& entry : stale) {
      BOOST_OUTCOME_TRYV(counted(claims_.remove(entry), report_.removed));
    }
    return success();
  }

  result<> counted(result<claim_end> how, std::int64_t& done) {
    if (!how) return how.error();
    if (how.value() == claim_end::done) ++done;
    if (how.value() == claim_end::duplicate) ++report_.duplicates;
    if (how.value() == claim_end::busy) ++report_.busy;
    return success();
  }

  static result<entry_list> picked(session& node, statement const& which, entry_list const& candidates) {
    BOOST_OUTCOME_TRY(auto const found, node.query(which));
    entry_list out;
    for (std::size_t row = 0; row < found.size(); ++row) {
      BOOST_OUTCOME_TRY(auto const position, found.integer(row, 0));
      out.push_back(candidates[static_cast<std::size_t>(position - 1)]);
    }
    return out;
  }

  node_sessions const& nodes_;
  generation const& now_;
  lookup_of_table lookup_;
  lookup_task task_;
  std::int64_t token_;
  lookup_claims claims_;
  lookup_report report_;
};

}  // namespace

result<lookup_report> run_lookup_task(node_sessions const& nodes, generation const& now,
                                      lookup_of_table const& lookup, lookup_task task, std::int64_t token) {
  return lookup_job(nodes, now, lookup, task, token).run();
}

}  // namespace migrate::lookup
}  // namespace v0
}  // namespace shardway
