#include "lib/migrate/controller/schema_gate.hpp"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "shardway/catalog/certificate.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {
namespace {

constexpr std::size_t shown_max = 5;

gate gate_of(std::string name, std::string green_text,
             std::vector<onboard::shape_difference> const& differences) {
  std::vector<std::string> texts, ways_out;
  std::size_t count = 0;
  for (auto const& one : differences) {
    if (one.answer == onboard::drift_answer::note || ++count > shown_max) continue;
    texts.push_back(onboard::describe(one));
    if (std::find(ways_out.begin(), ways_out.end(), one.way_out) == ways_out.end())
      ways_out.push_back(one.way_out);
  }
  if (count == 0) return {.name = std::move(name), .green = true, .detail = std::move(green_text), .fix = {}};
  auto detail = absl::StrJoin(texts, "; ");
  if (count > shown_max) absl::StrAppend(&detail, "; and ", count - shown_max, " more");
  return {.name = std::move(name),
          .green = false,
          .detail = std::move(detail),
          .fix = absl::StrJoin(ways_out, "; ")};
}

}  // namespace

gate schema_gate(std::string const& group, group_drift const& drift) {
  return gate_of("schema",
                 absl::StrCat("generation, source and shards have one shape for the tables of group ", group),
                 drift.shape);
}

gate publication_gate(std::string const& group, group_drift const& drift) {
  return gate_of("publication", absl::StrCat("every change of group ", group, " is published"),
                 drift.publication);
}

result<std::vector<std::string>> tree_gaps(session& catalog, std::vector<std::string> const& relations,
                                           group_drift const& drift) {
  std::vector<std::string> gaps;
  for (auto const& relation : relations) {
    BOOST_OUTCOME_TRY(auto const newest, newest_certificate(catalog, relation));
    if (!newest || newest->found != verdict::equal || has_same_trees(newest->detail, drift, relation))
      continue;
    gaps.push_back(relation + ": the table or its partitions were made, attached or dropped since");
  }
  return gaps;
}

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
