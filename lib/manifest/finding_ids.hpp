// The ids of the doctor's findings, as far as a manifest may accept them. Ids are stable.
#pragma once

#include <string_view>

namespace shardway {
inline namespace v0 {

/// Whether the doctor has a finding of this id. A new finding needs its line in the body.
bool is_finding_id(std::string_view id) noexcept;

}  // namespace v0
}  // namespace shardway
