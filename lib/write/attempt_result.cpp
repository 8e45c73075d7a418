#include "lib/write/attempt_result.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using end_kind = attempt_end::kind_type;

}  // namespace

attempt_end end_of(error const& why) {
  switch (why.code()) {
    case error_code::fence_closed:
    case error_code::epoch_stale:
      return {end_kind::refused, why, {}};
    case error_code::serialization_failure:
    case error_code::connection_lost:
      return {end_kind::again, why, {}};
    default:
      return {end_kind::failed, why, {}};
  }
}

attempt_result failed_attempt(error why) {
  return {.end = attempt_end{end_kind::failed, std::move(why), {}}};
}

attempt_result repeatable_attempt(error why) {
  return {.end = attempt_end{end_kind::again, std::move(why), {}}};
}

}  // namespace v0
}  // namespace shardway
