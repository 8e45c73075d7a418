#include "shardway/migrate/verify/verify.hpp"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "lib/migrate/verify/read_keys.hpp"
#include "lib/migrate/verify/row_compare.hpp"
#include "lib/migrate/verify/sql.hpp"
#include "lib/migrate/verify/verify_nodes.hpp"
#include "lib/migrate/wave/flip.hpp"
#include "shardway/base/clock.hpp"
#include "shardway/catalog/certificate.hpp"

namespace shardway {
inline namespace v0 {

using namespace migrate;
using namespace migrate::verify;
namespace {

using std::chrono::steady_clock;

constexpr std::size_t keys_per_query = 1000;

std::vector<slot_range> placed_on(generation const& now, std::size_t shard) {
  std::vector<slot_range> slots;
  for (auto const& range : now.placement)
    if (range.shard.value() == shard) slots.push_back(range.slots);
  return slots;
}

// Sums come as decimal texts that may be too long for 64 bits. So the source adds and compares the totals.
struct range_sums {
  std::int64_t count{};
  std::string first, second;
  std::int64_t elsewhere{};
};

result<range_sums> read_sums(rows const& answer) {
  range_sums sums;
  BOOST_OUTCOME_TRY(sums.count, answer.integer(0, 0));
  sums.first = answer.text(0, 1);
  sums.second = answer.text(0, 2);
  BOOST_OUTCOME_TRY(sums.elsewhere, answer.integer(0, 3));
  return sums;
}

/// Verification of one table.
class table_verification {
 public:
  table_verification(verify_nodes& nodes, generation const& now, table_state const& table,
                     verify_options const& options, steady_clock::time_point until)
      : nodes_(nodes), now_(now), table_(table), options_(options), until_(until), seeds_(random_seeds()) {}

  result<table_verdict> run() {
    found_.relation = table_.manifest.table;
    BOOST_OUTCOME_TRY(found_.started_at, database_now(nodes_.source()));
    BOOST_OUTCOME_TRY(found_.as_of, wave::current_lsn(nodes_.source()));
    BOOST_OUTCOME_TRY(auto const bounds,
                      nodes_.source().query({.sql = bounds_sql(table_, options_.range_rows)}));
    key_range range;
    for (std::size_t i = 0; i <= bounds.size(); ++i) {
      is_whole_ = steady_now() < until_;
      if (!is_whole_) break;
      range.upper = i < bounds.size() ? text_value(std::string(bounds.text(i, 0))) : text_value();
      if (range.upper && range.upper == range.lower) continue;  // many rows under one leading key
      BOOST_OUTCOME_TRYV(compare_range(range));
      range.lower = range.upper;
    }
    BOOST_OUTCOME_TRYV(check_again());
    return conclude();
  }

 private:
  result<> compare_range(key_range const& range) {
    BOOST_OUTCOME_TRY(auto const answers, nodes_.query_all([&](std::size_t node) {
      return sums_statement(table_, range, seeds_,
                            node == 0 ? std::nullopt : std::optional(placed_on(now_, node - 1)));
    }));
    std::vector<range_sums> sums;
    for (auto const& answer : answers) {
      BOOST_OUTCOME_TRY(auto one, read_sums(answer));
      sums.push_back(std::move(one));
    }
    found_.rows += sums.front().count;
    BOOST_OUTCOME_TRY(auto const equal, add_up(sums));
    if (equal) return success();
    return list_range(range);
  }

  result<bool> add_up(std::vector<range_sums> const& sums) {
    std::int64_t elsewhere = 0, shards_count = 0;
    // Without the cast, two small sums would be added as bigint, and overflow.
    std::string first = "0::numeric", second = first;
    bool each_equal = true;
    for (std::size_t i = 1; i < sums.size(); ++i) {
      elsewhere += sums[i].elsewhere;
      shards_count += sums[i].count;
      absl::StrAppend(&first, " + (", sums[i].first, ")");
      absl::StrAppend(&second, " + (", sums[i].second, ")");
      each_equal = each_equal && sums[i].count == sums[0].count && sums[i].first == sums[0].first &&
                   sums[i].second == sums[0].second;
    }
    if (table_.manifest.kind == table_kind::reference) return each_equal;
    if (elsewhere != 0 || shards_count != sums[0].count) return false;
    // Decimal digits and signs only: they came from sum().
    BOOST_OUTCOME_TRY(
        auto const answer,
        nodes_.source().query({.sql = absl::StrCat("SELECT (", first, ") = (", sums[0].first, ") AND (",
                                                   second, ") = (", sums[0].second, ")")}));
    return answer.boolean(0, 0);
  }

  result<> list_range(key_range const& range) {
    BOOST_OUTCOME_TRY(auto const answers,
                      nodes_.query_all([&](std::size_t) { return rows_statement(table_, range, seeds_); }));
    BOOST_OUTCOME_TRY(auto rows_seen, gather_rows(answers, table_));
    for (auto& [key, seen] : rows_seen)
      if (!agrees(seen, now_, table_.manifest.kind)) checks_[key].push_back(std::move(seen));
    return success();
  }

  std::vector<std::vector<std::string>> undecided() const {
    std::vector<std::vector<std::string>> keys;
    for (auto const& [key, checks] : checks_)
      if (judge(checks, now_, table_.manifest.kind) == verdict::could_not_tell &&
          checks.size() <= static_cast<std::size_t>(options_.recheck_limit))
        keys.push_back(key);
    return keys;
  }

  // Between two checks the streams pass everything that the first could have seen (V1).
  result<> check_again() {
    found_.rechecked = static_cast<std::int64_t>(checks_.size());
    for (;;) {
      auto const keys = undecided();
      if (keys.empty() || steady_now() >= until_) return success();
      BOOST_OUTCOME_TRY(auto const arrived,
                        nodes_.wait_for_streams(now_, std::min(options_.recheck_wait, left())));
      if (!arrived) return success();  // what is left stays undecided
      for (std::size_t first = 0; first < keys.size(); first += keys_per_query) {
        auto const end = std::min(keys.size(), first + keys_per_query);
        BOOST_OUTCOME_TRYV(check_keys({keys.begin() + static_cast<std::ptrdiff_t>(first),
                                       keys.begin() + static_cast<std::ptrdiff_t>(end)}));
      }
    }
  }

  std::chrono::milliseconds left() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(until_ - steady_now());
  }

  result<> check_keys(std::vector<std::vector<std::string>> const& keys) {
    BOOST_OUTCOME_TRY(auto rows_seen, read_keys(nodes_, table_, keys, seeds_));
    for (auto const& key : keys) {
      auto& seen = rows_seen[key];  // a row that no node holds any more agrees
      if (seen.digest.empty()) seen.digest = checks_[key].front().digest;
      checks_[key].push_back(std::move(seen));
    }
    return success();
  }

  result<table_verdict> conclude() {
    auto const* group = now_.find_group(table_.manifest.group);
    found_.found = verdict::equal;
    for (auto const& [key, checks] : checks_) {
      auto const judged = judge(checks, now_, table_.manifest.kind);
      if (judged == verdict::equal) continue;
      ++found_.differing;
      if (judged == verdict::different) found_.found = verdict::different;
      if (judged == verdict::could_not_tell && found_.found == verdict::equal)
        found_.found = verdict::could_not_tell;
      if (judged == verdict::different)
        name_differences(classify(checks.back(), now_, *group, table_.manifest.kind));
    }
    if (!is_whole_ && found_.found == verdict::equal) found_.found = verdict::could_not_tell;
    return std::move(found_);
  }

  void name_differences(std::vector<row_difference> found) {
    for (auto& one : found)
      if (found_.rows_named.size() < options_.named_max) found_.rows_named.push_back(std::move(one));
  }

  verify_nodes& nodes_;
  generation const& now_;
  table_state const& table_;
  verify_options const& options_;
  steady_clock::time_point until_;
  hash_seeds seeds_;
  table_verdict found_;
  bool is_whole_{};  // every range was compared before the deadline
  std::map<std::vector<std::string>, std::vector<rows_of_key>> checks_;
};

}  // namespace

std::string_view name(difference_kind kind) noexcept {
  constexpr std::array<std::string_view, 6> names{"missing",     "extra",      "different",
                                                  "wrong_shard", "two_shards", "conflict"};
  return names[static_cast<std::size_t>(kind)];
}

result<std::vector<table_verdict>> verify_group(engine_nodes const& fleet, generation const& now,
                                                std::string const& group, verify_options const& options) {
  if (options.range_rows <= 0 || options.recheck_limit <= 0 || options.named_max == 0)
    return error(error_code::invalid_argument,
                 "verify options: range_rows, recheck_limit and named_max must be above 0");
  if (!now.find_group(group)) return error(error_code::invalid_argument, "there is no group " + group);
  BOOST_OUTCOME_TRY(auto nodes, verify_nodes::open(fleet));
  auto const until = steady_now() + options.deadline;
  std::vector<table_verdict> verdicts;
  for (auto const& table : now.tables) {
    if (table.manifest.group != group) continue;
    BOOST_OUTCOME_TRY(auto found, table_verification(nodes, now, table, options, until).run());
    verdicts.push_back(std::move(found));
  }
  return verdicts;
}

}  // namespace v0
}  // namespace shardway
