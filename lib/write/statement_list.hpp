// The statements of one flush.
#pragma once

#include <absl/container/inlined_vector.h>

#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// A usual flush (BEGIN, fence, statement, transaction id, COMMIT, position) fits without an allocation.
using statement_list = absl::InlinedVector<statement, 8>;

}  // namespace v0
}  // namespace shardway
