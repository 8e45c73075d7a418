// Whether a read failed only because its table had changed since its statement was prepared.
#pragma once

#include "shardway/base/error.hpp"

namespace shardway {
inline namespace v0 {

/// The error of a statement whose prepared plan was lost inside a batch. Sent again, the batch is prepared
/// anew and succeeds.
inline bool is_plan_lost(error const& why) {
  return why.code() == error_code::serialization_failure &&
         (why.sqlstate() == "0A000" || why.sqlstate() == "26000");
}

}  // namespace v0
}  // namespace shardway
