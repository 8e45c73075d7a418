#include "shardway/write/receipt.hpp"

namespace shardway {
inline namespace v0 {

std::string_view name(dual_write_state state) noexcept {
  switch (state) {
    case dual_write_state::none:
      return "none";
    case dual_write_state::applied:
      return "applied";
    case dual_write_state::pending:
      return "pending";
    case dual_write_state::refused:
      return "refused";
  }
  return "unknown";
}

}  // namespace v0
}  // namespace shardway
