#include "lib/client/reads/hedging.hpp"

namespace shardway {
inline namespace v0 {
namespace {

constexpr std::chrono::milliseconds grace{500};

}  // namespace

bool hedging::may_hedge() noexcept {
  if (!budget_.take()) return false;
  ++sent_;
  if (meter_) meter_->count("shardway_hedges_total", "sent", 1);
  return true;
}

void hedging::hedge_won() noexcept {
  ++won_;
  if (meter_) meter_->count("shardway_hedges_total", "won", 1);
}

void hedging::stop() noexcept {
  cancels_.stop_within(grace);
  legs_.stop_within(grace);
}

}  // namespace v0
}  // namespace shardway
