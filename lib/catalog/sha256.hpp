// SHA-256 in hexadecimal.
#pragma once

#include <string>
#include <string_view>

namespace shardway {
inline namespace v0 {

std::string sha256_hex(std::string_view bytes);

}  // namespace v0
}  // namespace shardway
