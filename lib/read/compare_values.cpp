// Reads the texts as PostgreSQL writes them under the settings of our sessions: ISO dates, UTC, hex bytea.
#include "lib/read/compare_values.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "lib/read/type_oids.hpp"

namespace shardway {
inline namespace v0 {
namespace {

template <class T>
int three_way(T const& a, T const& b) noexcept {
  return a < b ? -1 : b < a ? 1 : 0;
}

int compare_integers(std::string_view a, std::string_view b) noexcept {
  std::int64_t left{}, right{};
  std::from_chars(a.data(), a.data() + a.size(), left);
  std::from_chars(b.data(), b.data() + b.size(), right);
  return three_way(left, right);
}

// NaN is above everything and equal to itself; -0 equals 0.
double number_of(std::string_view text) noexcept {
  double value{};
  if (text == "Infinity") return HUGE_VAL;
  if (text == "-Infinity") return -HUGE_VAL;
  if (text == "NaN") return std::nan("");
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

int compare_floats(std::string_view a, std::string_view b) noexcept {
  auto const left = number_of(a), right = number_of(b);
  if (std::isnan(left) || std::isnan(right)) return three_way(std::isnan(left), std::isnan(right));
  return three_way(left, right);
}

// numeric: NaN above Infinity, any number of digits.
struct decimal {
  int rank{};  // -1: -Infinity, 0: a number, 1: Infinity, 2: NaN
  bool negative{};
  std::string_view whole, fraction;

  explicit decimal(std::string_view text) noexcept {
    if (text == "NaN")
      rank = 2;
    else if (text == "Infinity")
      rank = 1;
    else if (text == "-Infinity")
      rank = -1;
    if (rank != 0) return;
    negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    auto const point = text.find('.');
    whole = text.substr(0, point);
    fraction = point == std::string_view::npos ? std::string_view{} : text.substr(point + 1);
    while (!whole.empty() && whole.front() == '0') whole.remove_prefix(1);
    while (!fraction.empty() && fraction.back() == '0') fraction.remove_suffix(1);
    if (whole.empty() && fraction.empty()) negative = false;
  }
};

int compare_numerics(std::string_view a, std::string_view b) noexcept {
  decimal const left{a}, right{b};
  if (left.rank != 0 || right.rank != 0) return three_way(left.rank, right.rank);
  if (left.negative != right.negative) return left.negative ? -1 : 1;
  auto size = three_way(left.whole.size(), right.whole.size());
  if (size == 0) size = three_way(left.whole, right.whole);
  if (size == 0) size = three_way(left.fraction, right.fraction);
  return left.negative ? -size : size;
}

// "YYYY-MM-DD ..." with more digits past year 9999, " BC" at the end, or an infinity. All texts of one column
// have the same form.
struct moment {
  int rank{};
  std::int64_t year{};
  std::string_view rest;

  explicit moment(std::string_view text) noexcept {
    if (text == "infinity")
      rank = 1;
    else if (text == "-infinity")
      rank = -1;
    if (rank != 0) return;
    bool const before_christ = text.ends_with(" BC");
    if (before_christ) text.remove_suffix(3);
    auto const dash = std::min(text.find('-'), text.size());
    std::from_chars(text.data(), text.data() + dash, year);
    if (before_christ) year = -year;
    rest = text.substr(dash);
  }
};

int compare_moments(std::string_view a, std::string_view b) noexcept {
  moment const left{a}, right{b};
  if (left.rank != 0 || right.rank != 0) return three_way(left.rank, right.rank);
  if (left.year != right.year) return three_way(left.year, right.year);
  return three_way(left.rest, right.rest);
}

}  // namespace

int compare_values(std::uint32_t type_oid, std::string_view a, std::string_view b) noexcept {
  switch (type_oid) {
    case oids::int2:
    case oids::int4:
    case oids::int8:
      return compare_integers(a, b);
    case oids::float4:
    case oids::float8:
      return compare_floats(a, b);
    case oids::numeric:
      return compare_numerics(a, b);
    case oids::date:
    case oids::timestamp:
    case oids::timestamptz:
      return compare_moments(a, b);
    default:
      return three_way(a, b);  // bool ("f" < "t"), uuid, bytea in hex, text in collation C: by bytes
  }
}

}  // namespace v0
}  // namespace shardway
