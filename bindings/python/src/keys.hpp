// Python's values as shard keys: int, str, uuid.UUID, bytes, a ShardKey, or a tuple or list of them.
#pragma once

#include <string>
#include <vector>

#include <nanobind/nanobind.h>

#include "shardway/route/shard_key.hpp"

namespace shardway::python {

/// Raises ConfigError or RouteError for what is no key: None, bool, float, an integer past 64 bits.
shard_key key_of(nanobind::handle value);
/// From PostgreSQL's names of the columns' types and the values in its text form.
shard_key key_from_text(std::vector<std::string> const& types, std::vector<std::string> const& texts);

}  // namespace shardway::python
