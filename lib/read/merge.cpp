#include "lib/read/merge.hpp"

#include <algorithm>

#include "lib/read/compare_values.hpp"
#include "lib/read/type_oids.hpp"

namespace shardway {
inline namespace v0 {
namespace {

error bad(std::string what) {
  return error{error_code::invalid_argument, "merging the rows of several nodes: " + std::move(what)};
}

bool shares_name(merge_terms const& terms, std::string_view name) {
  auto const is_it = [&](auto const& one) { return one.name == name; };
  return std::ranges::count_if(terms.aggregates, is_it) + std::ranges::count(terms.group_by, name) > 1;
}

result<> check_aggregate(merge_terms const& terms, aggregate_term const& one) {
  if (one.name.empty()) return bad("an aggregate has no name for its output column");
  if ((one.function == aggregate_function::count_rows) != one.column.empty())
    return bad("the aggregate \"" + one.name + "\" needs a column, and count_rows needs none");
  if (shares_name(terms, one.name)) return bad("two output columns are called \"" + one.name + "\"");
  return success();
}

bool nulls_are_first(order_term const& term) noexcept { return term.nulls_first.value_or(term.descending); }

struct key {
  std::size_t column{};
  std::uint32_t type{};
  bool descending{};
  bool nulls_first{};
};

int compare(key const& by, std::optional<std::string_view> a, std::optional<std::string_view> b) noexcept {
  if (!a || !b) return (a.has_value() == b.has_value()) ? 0 : (!a == by.nulls_first) ? -1 : 1;
  auto const order = compare_values(by.type, *a, *b);
  return by.descending ? -order : order;
}

struct cursor {
  std::size_t part{};
  std::size_t row{};
};

void append(std::vector<text_value>& values, rows const& source, std::size_t row) {
  for (std::size_t i = 0; i < source.columns().size(); ++i) {
    auto const value = source.at(row, i);
    if (value)
      values.emplace_back(std::in_place, *value);
    else
      values.emplace_back();
  }
}

// Takes from the parts, one row at a time, the one that comes first.
class merging {
 public:
  merging(merge_terms const& terms, std::span<rows const> parts) : parts_(parts) {
    for (auto const& term : terms.order_by) {
      auto const column = parts[0].find(term.column);
      if (!column) continue;  // merge_place_of has refused it
      keys_.push_back(
          {*column, parts[0].columns()[*column].type_oid, term.descending, nulls_are_first(term)});
    }
    for (std::size_t i = 0; i < parts.size(); ++i)
      if (!parts[i].empty()) heap_.push_back({i, 0});
    std::ranges::make_heap(heap_, [this](cursor const& a, cursor const& b) { return is_later(a, b); });
  }
  bool done() const noexcept { return heap_.empty(); }
  cursor next() {
    auto const later = [this](cursor const& a, cursor const& b) { return is_later(a, b); };
    std::ranges::pop_heap(heap_, later);
    auto const found = heap_.back();
    if (++heap_.back().row < parts_[found.part].size())
      std::ranges::push_heap(heap_, later);
    else
      heap_.pop_back();
    return found;
  }

 private:
  bool is_later(cursor const& a, cursor const& b) const {
    for (auto const& by : keys_) {
      auto const order =
          compare(by, parts_[a.part].at(a.row, by.column), parts_[b.part].at(b.row, by.column));
      if (order != 0) return order > 0;
    }
    return a.part > b.part;
  }

  std::span<rows const> parts_;
  std::vector<key> keys_;
  std::vector<cursor> heap_;
};

}  // namespace

result<> check_terms(merge_terms const& terms, std::size_t rows_max) {
  if (terms.offset > 0 && terms.order_by.empty())
    return bad("`offset` without `order_by` skips rows by chance");
  for (auto const& term : terms.order_by)
    if (term.column.empty()) return bad("a term of `order_by` names no column");
  for (auto const& one : terms.aggregates) {
    BOOST_OUTCOME_TRYV(check_aggregate(terms, one));
  }
  for (auto const& name : terms.group_by)
    if (name.empty() || shares_name(terms, name))
      return bad("two output columns are called \"" + name + "\", or one has no name");
  auto const limit = terms.limit.value_or(0);
  if (limit > rows_max || terms.offset > rows_max - limit)
    return bad("`limit` and `offset` together are above `rows_max`");
  return success();
}

result<merge_place> merge_place_of(merge_terms const& terms, rows const& first) {
  if (terms.combines()) return merge_place::server;
  auto place = merge_place::here;
  for (auto const& term : terms.order_by) {
    auto const column = first.find(term.column);
    if (!column)
      return bad("`order_by` names the column \"" + term.column + "\", which the statement does not return");
    auto const type = first.columns()[*column].type_oid;
    if (oids::is_text(type) && term.collation.empty())
      return bad("the column \"" + term.column + "\" is text, and its order is a collation's")
          .with_hint(
              "name the collation in `order_by`: \"C\" is merged by bytes, any other is sorted by a server");
    bool const here = oids::is_compared_here(type) ||
                      ((type == oids::text || type == oids::varchar) && term.collation == "C");
    if (!here) place = merge_place::server;
  }
  return place;
}

rows merge_parts(merge_terms const& terms, std::span<rows const> parts) {
  if (parts.empty()) return {};
  std::vector<text_value> values;
  std::size_t count = 0;
  std::uint64_t skipped = 0;
  merging merged{terms, parts};
  while (!merged.done() && (!terms.limit || count < *terms.limit)) {
    auto const next_row = merged.next();
    if (skipped++ < terms.offset) continue;
    append(values, parts[next_row.part], next_row.row);
    ++count;
  }
  return rows{parts[0].columns(), count, std::move(values), static_cast<std::int64_t>(count)};
}

result<rows> pick_rows(std::span<rows const> parts, rows const& numbers) {
  std::vector<text_value> values;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    BOOST_OUTCOME_TRY(auto const number, numbers.integer(i, 0));
    auto row = static_cast<std::size_t>(number - 1);
    std::size_t part = 0;
    while (part < parts.size() && row >= parts[part].size()) row -= parts[part++].size();
    if (number < 1 || part == parts.size())
      return error{error_code::protocol_violation,
                   "a server that sorted the merged keys numbered a row that is not there"};
    append(values, parts[part], row);
  }
  return rows{parts[0].columns(), numbers.size(), std::move(values),
              static_cast<std::int64_t>(numbers.size())};
}

}  // namespace v0
}  // namespace shardway
