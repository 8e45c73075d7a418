// The rules of accepted findings.
#include <algorithm>

#include "lib/manifest/checks.hpp"
#include "lib/manifest/finding_ids.hpp"

namespace shardway {
inline namespace v0 {
namespace {

bool is_blank(std::string const& text) {
  return std::ranges::all_of(text,
                             [](char letter) { return letter == ' ' || letter == '\t' || letter == '\n'; });
}

}  // namespace

void check_accepted(finder& found, std::vector<accepted_finding> const& accepted) {
  for (std::size_t item = 0; item < accepted.size(); ++item) {
    auto const path = item_path("accept", item);
    if (!is_finding_id(accepted[item].finding))
      found.add("M070", path, 0, "the doctor has no finding " + shown(accepted[item].finding),
                "write the id that `shardway doctor` shows, such as \"unique_without_shard_key\"");
    if (is_blank(accepted[item].reason))
      found.add("M071", path, 0,
                "the finding " + shown(accepted[item].finding) + " is accepted without a reason",
                "write why it may stand: reason: \"...\"");
  }
}

}  // namespace v0
}  // namespace shardway
