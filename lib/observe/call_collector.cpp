#include "shardway/observe/call_collector.hpp"

#include <algorithm>
#include <functional>

#include "shardway/observe/impl/insert_only_table.hpp"

namespace shardway {
inline namespace v0 {
namespace {

constexpr std::size_t site_bytes_max = 200;
constexpr auto relaxed = std::memory_order_relaxed;

std::uint64_t hash_of_text(std::string_view text) noexcept {
  return mixed_hash(std::hash<std::string_view>{}(text));
}

struct site_entry {
  std::uint64_t hash{};
  std::string label;   // "" if the place in the source code identifies the site
  char const* file{};  // compared by address: one place in a program has one address
  std::uint32_t line{};
  observed_table* observed{};
  call_kind kind{};
  call_operation operation{};
  std::string text;
  std::atomic<std::uint64_t> counts[call_shape_count]{};
};

struct set_entry {
  std::uint64_t hash{};
  std::vector<observed_table*> tables;
  std::atomic<std::uint64_t> transactions{};
};

std::uint64_t hash_of_site(observed_table const* observed, call_site const& site, call_kind kind,
                           call_operation operation) noexcept {
  auto const place =
      site.label.empty()
          ? mixed_hash(reinterpret_cast<std::uintptr_t>(site.where.file_name()) + site.where.line() * 31ULL)
          : hash_of_text(site.label);
  return mixed_hash(place ^ (reinterpret_cast<std::uintptr_t>(observed) << 8) ^
                    (static_cast<std::uint64_t>(kind) << 4) ^ static_cast<std::uint64_t>(operation));
}

bool is_site(site_entry const& held, observed_table const* observed, call_site const& site, call_kind kind,
             call_operation operation) noexcept {
  if (held.observed != observed || held.kind != kind || held.operation != operation ||
      held.label != site.label)
    return false;
  return !site.label.empty() || (held.file == site.where.file_name() && held.line == site.where.line());
}

call_counts read(std::atomic<std::uint64_t> const (&counters)[call_shape_count]) noexcept {
  call_counts counts;
  for (std::size_t i = 0; i < call_shape_count; ++i) counts.by_shape[i] = counters[i].load(relaxed);
  return counts;
}

// "shop::place" from "shop::result<int> shop::place(order const&) [with ...]".
std::string_view function_in(std::string_view signature) noexcept {
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < signature.size(); ++i) {
    if (signature[i] == '<') ++depth;
    if (signature[i] == '>') --depth;
    if (depth == 0 && signature[i] == ' ') begin = i + 1;
    if (depth == 0 && signature[i] == '(') return signature.substr(begin, i - begin);
  }
  return signature.substr(begin);
}

}  // namespace

struct call_collector::state {
  explicit state(call_bounds bounds)
      : tables(bounds.tables_max), sites(bounds.sites_max), sets(bounds.sets_max) {}
  insert_only_table<observed_table> tables;
  insert_only_table<site_entry> sites;
  insert_only_table<set_entry> sets;
  std::atomic<std::uint64_t> other_tables[call_shape_count]{};
  std::atomic<std::uint64_t> other_transactions{};
};

call_collector::call_collector(call_bounds bounds) : state_(std::make_unique<state>(bounds)) {}
call_collector::~call_collector() = default;

observed_table* call_collector::table(std::string_view name) {
  auto const hash = hash_of_text(name);
  return state_->tables.find_or_add(
      hash, [&](observed_table const& held) { return held.name_ == name; },
      [&] {
        auto fresh = std::make_unique<observed_table>();
        fresh->hash = hash;
        fresh->name_ = name;
        return fresh;
      });
}

void call_collector::count(observed_table* observed, call_site const& site, call_kind kind,
                           call_operation operation, call_shape shape) noexcept {
  auto const index = static_cast<std::size_t>(shape);
  if (!observed) {
    state_->other_tables[index].fetch_add(1, relaxed);
    return;
  }
  observed->counts_[index].fetch_add(1, relaxed);
  auto const hash = hash_of_site(observed, site, kind, operation);
  auto* const entry = state_->sites.find_or_add(
      hash, [&](site_entry const& held) { return is_site(held, observed, site, kind, operation); },
      [&] {
        auto fresh = std::make_unique<site_entry>();
        fresh->hash = hash;
        fresh->label = site.label;
        fresh->file = site.where.file_name();
        fresh->line = site.where.line();
        fresh->observed = observed;
        fresh->kind = kind;
        fresh->operation = operation;
        fresh->text = text_of(site);
        return fresh;
      });
  (entry ? entry->counts : observed->other_sites_)[index].fetch_add(1, relaxed);
}

void call_collector::count_together(std::span<observed_table*> written, bool is_complete) noexcept {
  std::sort(written.begin(), written.end());
  auto const end = std::unique(written.begin(), written.end());
  auto const tables = std::span{written.begin(), end};
  if (tables.empty() && is_complete) return;
  std::uint64_t hash = tables.size();
  for (auto const* one : tables) hash = mixed_hash(hash ^ reinterpret_cast<std::uintptr_t>(one));
  auto const is = [&](set_entry const& held) { return std::ranges::equal(held.tables, tables); };
  auto* const entry = !is_complete ? nullptr : state_->sets.find_or_add(hash, is, [&] {
    auto fresh = std::make_unique<set_entry>();
    fresh->hash = hash;
    fresh->tables.assign(tables.begin(), tables.end());
    return fresh;
  });
  (entry ? entry->transactions : state_->other_transactions).fetch_add(1, relaxed);
}

call_report call_collector::report() const {
  call_report made;
  state_->tables.for_each([&](observed_table const& one) {
    table_report table{one.name_, read(one.counts_), read(one.other_sites_)};
    if (table.counts.calls() > 0) made.tables.push_back(std::move(table));
  });
  std::ranges::sort(made.tables, {}, &table_report::table);
  call_report rest;  // merging joins sites whose text is the same
  state_->sites.for_each([&](site_entry const& one) {
    rest.sites.push_back({one.observed->name_, one.text, one.kind, one.operation, read(one.counts)});
  });
  state_->sets.for_each([&](set_entry const& one) {
    tables_together set{{}, one.transactions.load(relaxed)};
    for (auto const* table : one.tables) set.tables.push_back(table->name_);
    std::ranges::sort(set.tables);
    rest.together.push_back(std::move(set));
  });
  merge(made, rest);
  made.other_tables = read(state_->other_tables);
  made.other_transactions = state_->other_transactions.load(relaxed);
  return made;
}

std::string text_of(call_site const& site) {
  if (!site.label.empty()) return std::string(site.label.substr(0, site_bytes_max));
  std::string_view file = site.where.file_name();
  if (auto const slash = file.find_last_of("/\\"); slash != file.npos) file.remove_prefix(slash + 1);
  auto text = std::string(file) + ":" + std::to_string(site.where.line()) + ":" +
              std::string(function_in(site.where.function_name()));
  if (text.size() > site_bytes_max) text.resize(site_bytes_max);
  return text;
}

}  // namespace v0
}  // namespace shardway
