#include "shardway/observe/call_report.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

#include <nlohmann/json.hpp>

namespace shardway {
inline namespace v0 {
namespace {

auto order_of(call_site_report const& one) { return std::tie(one.table, one.site, one.kind, one.operation); }

using json = nlohmann::ordered_json;

// Appends the number of calls and the number of each shape.
json with_counts(json object, call_counts const& counts) {
  object["calls"] = counts.calls();
  for (std::size_t i = 0; i < call_shape_count; ++i)
    object[std::string{name(static_cast<call_shape>(i))}] = counts.by_shape[i];
  return object;
}

template <class Range, class Describe>
json array_of(Range const& range, Describe const& describe) {
  auto array = json::array();
  for (auto const& one : range) array.push_back(describe(one));
  return array;
}

/// Tables, joined into groups. One table of a group is its root.
class joined_tables {
 public:
  std::string const& root_of(std::string const& table) {
    auto found = parent_.try_emplace(table, table).first;
    while (found->second != found->first) found = parent_.find(found->second);
    return found->first;
  }
  void join(std::string const& a, std::string const& b) {
    auto const [first, second] = std::minmax(root_of(a), root_of(b));
    parent_[second] = first;
  }

 private:
  std::map<std::string, std::string> parent_;
};

using pair_counts = std::map<std::pair<std::string, std::string>, std::uint64_t>;

pair_counts pairs_in(call_report const& report) {
  pair_counts pairs;
  for (auto const& set : report.together)
    for (std::size_t i = 0; i < set.tables.size(); ++i)
      for (std::size_t j = i + 1; j < set.tables.size(); ++j)
        pairs[{set.tables[i], set.tables[j]}] += set.transactions;
  return pairs;
}

// How many transactions wrote each table. A call of `execute` counts as one.
std::map<std::string, std::uint64_t> writes_in(call_report const& report) {
  std::map<std::string, std::uint64_t> writes;
  for (auto const& set : report.together)
    for (auto const& table : set.tables) writes[table] += set.transactions;
  for (auto const& site : report.sites)
    if (site.kind == call_kind::execute) writes[site.table] += site.counts.calls();
  return writes;
}

}  // namespace

std::string_view name(call_kind kind) noexcept {
  constexpr std::string_view names[]{"execute", "read", "write"};
  return names[static_cast<std::size_t>(kind)];
}

std::string_view name(call_operation operation) noexcept {
  constexpr std::string_view names[]{"select", "insert", "update", "delete", "other", "transaction"};
  return names[static_cast<std::size_t>(operation)];
}

std::string_view name(call_shape shape) noexcept {
  constexpr std::string_view names[]{"single_shard",   "without_key", "crosses_shards",
                                     "crosses_groups", "not_known",   "unlisted"};
  return names[static_cast<std::size_t>(shape)];
}

std::uint64_t call_counts::calls() const noexcept {
  return std::accumulate(std::begin(by_shape), std::end(by_shape), std::uint64_t{0});
}

call_counts& call_counts::operator+=(call_counts const& more) noexcept {
  for (std::size_t i = 0; i < call_shape_count; ++i) by_shape[i] += more.by_shape[i];
  return *this;
}

void merge(call_report& into, call_report const& more) {
  std::map<std::string, table_report> tables;
  for (auto const* report : {static_cast<call_report const*>(&into), &more})
    for (auto const& one : report->tables) {
      auto& held = tables.try_emplace(one.table, table_report{one.table, {}, {}}).first->second;
      held.counts += one.counts;
      held.other_sites += one.other_sites;
    }
  auto sites = into.sites;
  sites.insert(sites.end(), more.sites.begin(), more.sites.end());
  std::ranges::stable_sort(sites, [](auto const& a, auto const& b) { return order_of(a) < order_of(b); });
  std::map<std::vector<std::string>, std::uint64_t> together;
  for (auto const* report : {static_cast<call_report const*>(&into), &more})
    for (auto const& one : report->together) together[one.tables] += one.transactions;

  into.tables.clear();
  for (auto& [table, one] : tables) into.tables.push_back(std::move(one));
  into.sites.clear();
  for (auto& one : sites) {
    if (!into.sites.empty() && order_of(into.sites.back()) == order_of(one))
      into.sites.back().counts += one.counts;
    else
      into.sites.push_back(std::move(one));
  }
  into.together.clear();
  for (auto const& [set, transactions] : together) into.together.push_back({set, transactions});
  into.other_tables += more.other_tables;
  into.other_transactions += more.other_transactions;
}

std::vector<proposed_group> propose_groups(call_report const& report, double share_min) {
  joined_tables joined;
  auto const writes = writes_in(report);
  for (auto const& [pair, transactions] : pairs_in(report)) {
    auto const fewer = std::min(writes.at(pair.first), writes.at(pair.second));
    if (transactions > 0 && static_cast<double>(transactions) >= share_min * static_cast<double>(fewer))
      joined.join(pair.first, pair.second);
  }
  std::map<std::string, proposed_group> groups;
  for (auto const& [table, count] : writes) groups[joined.root_of(table)].tables.push_back(table);
  for (auto const& set : report.together) {
    std::map<std::string, int> seen;
    for (auto const& table : set.tables) ++seen[joined.root_of(table)];
    for (auto const& [root, count] : seen)
      if (count > 1) groups[root].transactions += set.transactions;
  }
  std::vector<proposed_group> proposed;
  for (auto& [root, group] : groups)
    if (group.tables.size() > 1) proposed.push_back(std::move(group));
  std::ranges::stable_sort(proposed, std::greater{}, &proposed_group::transactions);
  return proposed;
}

std::string to_json(call_report const& report) {
  auto const document = json{
      {"tables", array_of(report.tables,
                          [](table_report const& one) {
                            auto object = with_counts({{"table", one.table}}, one.counts);
                            object["other_call_sites"] = with_counts(json::object(), one.other_sites);
                            return object;
                          })},
      {"call_sites", array_of(report.sites,
                              [](call_site_report const& one) {
                                return with_counts({{"table", one.table},
                                                    {"site", one.site},
                                                    {"call", name(one.kind)},
                                                    {"statement", name(one.operation)}},
                                                   one.counts);
                              })},
      {"written_together", array_of(report.together,
                                    [](tables_together const& one) {
                                      return json{{"tables", one.tables}, {"transactions", one.transactions}};
                                    })},
      {"other_tables", with_counts(json::object(), report.other_tables)},
      {"other_transactions", report.other_transactions}};
  // A label may hold bytes that are not UTF-8.
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace v0
}  // namespace shardway
