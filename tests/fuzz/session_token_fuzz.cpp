// Any bytes as a session token: refused, or a token that goes round and merges with itself to itself.
#include <cstdlib>
#include <string_view>

#include "shardway/read/session_token.hpp"

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
  auto const parsed = shardway::session_token::parse({reinterpret_cast<char const*>(data), size});
  if (!parsed) return 0;
  auto const again = shardway::session_token::parse(parsed->to_string());
  if (!again || !(*again == *parsed)) std::abort();
  auto merged = *parsed;
  merged.merge(*again);
  if (!(merged == *parsed)) std::abort();
  return 0;
}
