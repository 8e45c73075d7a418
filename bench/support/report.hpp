// What a benchmark program says at its end: one row a figure, read by bench/run.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace shardway_bench {

/// What a figure is held against. A measured figure never fails the program.
struct goal {
  enum class kind_type : unsigned char { none, value_at_most, ratio_at_most, ratio_at_least, added_at_most };
  kind_type kind{kind_type::none};
  double limit{};
};
constexpr goal no_goal{};
constexpr goal at_most(double limit) { return {goal::kind_type::value_at_most, limit}; }
constexpr goal ratio_at_most(double limit) { return {goal::kind_type::ratio_at_most, limit}; }
constexpr goal ratio_at_least(double limit) { return {goal::kind_type::ratio_at_least, limit}; }
constexpr goal added_at_most(double limit) { return {goal::kind_type::added_at_most, limit}; }

struct row {
  std::string name;
  double value{};  ///< median
  std::string unit;
  std::string baseline;  ///< empty: none
  double baseline_value{};
  double ratio{};  ///< median of the pairs' ratios; with `added_at_most` of the pairs' differences
  std::array<double, 2> interval{};  ///< 95 %, of `ratio`; of `value` where there is no baseline
  goal target{};
};

/// Kept in order; printed and written at the end of `main`.
void add_row(row);
/// Whether the worse end of the interval meets the target; nothing if there is none.
std::optional<bool> is_met(row const&);
/// "<= 10 ns", ">= 0.90 x", "+ <= 2 us"; empty if there is none.
std::string text_of(goal const&, std::string_view unit);
/// One JSON object a line. False: the file can't be written.
bool write_rows(std::string const& path);

}  // namespace shardway_bench
