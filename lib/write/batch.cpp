#include "shardway/write/batch.hpp"

namespace shardway {
inline namespace v0 {

std::string_view name(part_state state) noexcept {
  switch (state) {
    case part_state::committed:
      return "committed";
    case part_state::committed_locally:
      return "committed_locally";
    case part_state::rolled_back:
      return "rolled_back";
    case part_state::in_doubt:
      return "in_doubt";
  }
  return "unknown";
}

}  // namespace v0
}  // namespace shardway
