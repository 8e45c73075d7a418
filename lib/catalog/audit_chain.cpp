#include "lib/catalog/audit_chain.hpp"

#include "absl/strings/str_cat.h"
#include "lib/catalog/sha256.hpp"

namespace shardway {
inline namespace v0 {

// Each field goes in with its length: moving text from one field to the next would otherwise not show.
std::string chained_sha256(audit_entry const& entry) {
  std::string bytes;
  for (auto const* field :
       {&entry.previous_sha256, &entry.actor, &entry.action, &entry.detail, &entry.recorded_at})
    absl::StrAppend(&bytes, field->size(), ":", *field, "\n");
  return sha256_hex(bytes);
}

}  // namespace v0
}  // namespace shardway
