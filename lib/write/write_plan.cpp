#include "lib/write/write_plan.hpp"

namespace shardway {
inline namespace v0 {

write_plan plan_of(call_target const& target) {
  auto const& manifest = target.table->manifest;
  return plan_write(target.group->stage, manifest.kind, target.node, target.placed, manifest.mode,
                    manifest.budget);
}

}  // namespace v0
}  // namespace shardway
