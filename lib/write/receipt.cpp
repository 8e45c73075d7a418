#include "shardway/write/receipt.hpp"

namespace shardway {
inline namespace v0 {

std::string_view name(secondary_state state) noexcept {
  switch (state) {
    case secondary_state::none: return "none";
    case secondary_state::applied: return "applied";
    case secondary_state::pending: return "pending";
    case secondary_state::refused: return "refused";
  }
  return "unknown";
}

}  // namespace v0
}  // namespace shardway
