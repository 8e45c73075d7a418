// Any bytes as a change stream: a length byte pair before each message. Nothing may read outside the message
// or throw.
#include <algorithm>

#include "lib/pg/pgoutput.hpp"

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
  auto rest = std::as_bytes(std::span{data, size});
  shardway::pgoutput_decoder decoder;
  while (rest.size() >= 2) {
    auto const announced = std::to_integer<std::size_t>(rest[0]) << 8 | std::to_integer<std::size_t>(rest[1]);
    auto const message = rest.subspan(2, std::min(announced, rest.size() - 2));
    (void)decoder.decode(message);
    rest = rest.subspan(2 + message.size());
  }
  return 0;
}
