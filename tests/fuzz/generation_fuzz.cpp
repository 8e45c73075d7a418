// Any bytes as a generation's document: refused, or a generation that is written and read back as itself and
// can be routed by or refused.
#include <string_view>

#include "shardway/base/ensure.hpp"
#include "shardway/manifest/plan.hpp"
#include "shardway/manifest/routes.hpp"

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
  using namespace shardway;
  auto const read = decode_generation({reinterpret_cast<char const*>(data), size});
  if (!read) return 0;
  auto const again = decode_generation(encode(read.value()));
  ensure(again && again.value() == read.value(), "a generation reads back as itself");
  ensure(diff(read.value(), again.value().migration).empty(), "a generation's own migration is no change");
  for (unsigned slot = 0; slot < limits::slot_count; slot += 97) {
    slot_id const at{static_cast<std::uint16_t>(slot)};
    ensure(read.value().shard_of(at).value() < read.value().migration.shards.size(),
           "each slot is placed on a shard");
    for (auto const& group : read.value().groups)
      ensure(generation::authority_of(group, at).slots.contains(at), "each slot has an authority");
  }
  (void)routes_of(read.value());
  return 0;
}
