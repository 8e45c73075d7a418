// Any bytes as a session token: refused, or a token that goes round and merges with itself to itself.
#include <string_view>

#include "shardway/base/ensure.hpp"
#include "shardway/read/session_token.hpp"

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
  using shardway::ensure;
  auto const parsed = shardway::session_token::parse({reinterpret_cast<char const*>(data), size});
  if (!parsed) return 0;
  auto const again = shardway::session_token::parse(parsed->to_string());
  ensure(again && *again == *parsed, "a token reads back as itself");
  auto merged = *parsed;
  merged.merge(*again);
  ensure(merged == *parsed, "a token merged with itself is itself");
  return 0;
}
