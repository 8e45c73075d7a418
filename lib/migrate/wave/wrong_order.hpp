// The tempting order of a wave that loses writes. Only tests run it, with the switch `marker_after_flip`, to
// prove that the order of `close_and_drain` is what keeps them.
#pragma once

#include "lib/migrate/wave/wave_steps.hpp"
#include "shardway/base/stop_point.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::wave {

/// Waits for the markers first and closes then: a write between the two is on the closed side only.
inline result<> drain_before_close(wave_steps& steps) {
  stop_point("wave_before_fence");
  BOOST_OUTCOME_TRYV(steps.write_markers());
  stop_point("wave_after_marker");
  steps.lap("marker");
  BOOST_OUTCOME_TRYV(steps.await_markers());
  stop_point("wave_after_drain");
  steps.lap("drain");
  return steps.close();
}

}  // namespace migrate::wave
}  // namespace v0
}  // namespace shardway
