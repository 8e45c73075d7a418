// PostgreSQL's text form of a text[]: how lists travel as one parameter, and how they come back.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/store/text_array.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// One element a value, each quoted.
std::string text_array(std::span<std::string const> values);
/// The same; nothing becomes NULL.
std::string text_array(std::span<text_value const> values);

/// The elements of a one-dimensional array. Nothing for any other text, an array with a NULL included.
std::optional<std::vector<std::string>> parse_text_array(std::string_view text);

}  // namespace v0
}  // namespace shardway
