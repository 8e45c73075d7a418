// PostgreSQL's text form of a text[]: a list as one parameter or one value.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// One element per value; each is quoted.
std::string text_array(std::span<std::string const> values);
/// The same; a value that is `std::nullopt` becomes NULL.
std::string text_array(std::span<text_value const> values);

/// The elements of a one-dimensional array. Nothing for any other text, and for an array with a NULL.
std::optional<std::vector<std::string>> parse_text_array(std::string_view text);

}  // namespace v0
}  // namespace shardway
