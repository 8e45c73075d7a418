#include "support/report.hpp"

#include <cmath>
#include <cstdio>
#include <memory>
#include <vector>

namespace shardway_bench {
namespace {

std::vector<row>& rows() {
  static std::vector<row> all;
  return all;
}

std::string quoted(std::string_view text) {
  std::string made = "\"";
  for (char const one : text) {
    if (one == '"' || one == '\\') made.push_back('\\');
    made.push_back(one);
  }
  return made + "\"";
}

std::string number(double value) {
  if (!std::isfinite(value)) return "null";
  char text[40];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

std::string json(row const& one) {
  bool const paired = !one.baseline.empty();
  auto const met = is_met(one);
  return "{\"name\": " + quoted(one.name) + ", \"value\": " + number(one.value) +
         ", \"unit\": " + quoted(one.unit) + ", \"baseline\": " + (paired ? quoted(one.baseline) : "null") +
         ", \"baseline_value\": " + (paired ? number(one.baseline_value) : "null") +
         ", \"ratio\": " + (paired ? number(one.ratio) : "null") + ", \"interval\": [" +
         number(one.interval[0]) + ", " + number(one.interval[1]) +
         "], \"target\": " + (met ? quoted(text_of(one.target, one.unit)) : "null") +
         ", \"met\": " + (met ? (*met ? "true" : "false") : "null") + "}";
}

}  // namespace

void add_row(row one) { rows().push_back(std::move(one)); }

std::optional<bool> is_met(row const& one) {
  switch (one.target.kind) {
    case goal::kind_type::none:
      return std::nullopt;
    case goal::kind_type::value_at_most:
      return one.value <= one.target.limit;
    case goal::kind_type::ratio_at_most:
    case goal::kind_type::added_at_most:
      return one.interval[1] <= one.target.limit;
    case goal::kind_type::ratio_at_least:
      return one.interval[0] >= one.target.limit;
  }
  return std::nullopt;
}

std::string text_of(goal const& target, std::string_view unit) {
  char limit[40];
  std::snprintf(limit, sizeof limit, "%g ", target.limit);
  switch (target.kind) {
    case goal::kind_type::none:
      return {};
    case goal::kind_type::value_at_most:
      return "<= " + (limit + std::string(unit));
    case goal::kind_type::ratio_at_most:
      return "<= " + (limit + std::string("x"));
    case goal::kind_type::ratio_at_least:
      return ">= " + (limit + std::string("x"));
    case goal::kind_type::added_at_most:
      return "added <= " + (limit + std::string(unit));
  }
  return {};
}

bool write_rows(std::string const& path) {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> const file{std::fopen(path.c_str(), "w"), &std::fclose};
  if (!file) return false;
  for (auto const& one : rows())
    if (std::fprintf(file.get(), "%s\n", json(one).c_str()) < 0) return false;
  return std::fflush(file.get()) == 0;
}

}  // namespace shardway_bench
