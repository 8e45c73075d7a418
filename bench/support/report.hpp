// What a benchmark program reports at its end: one row per figure. bench/run reads the rows.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace shardway_bench {

/// The goal of a figure. A program never fails because a figure misses its goal.
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
  double ratio{};  ///< the median of the pairs' ratios; with `added_at_most`, of their differences
  std::array<double, 2> interval{};  ///< the 95 % interval of `ratio`; of `value` if there is no baseline
  goal target{};
};

/// Adds a row. The end of `main` prints and writes the rows in order.
void add_row(row);

/// Whether the worse end of the interval meets the target. Nothing if there is no target.
std::optional<bool> is_met(row const&);

/// "<= 10 ns", ">= 0.90 x", "+ <= 2 us". Empty if there is no goal.
std::string text_of(goal const&, std::string_view unit);

/// Writes one JSON object per line. False: the file cannot be written.
bool write_rows(std::string const& path);

}  // namespace shardway_bench
