#include "shardway/shardway.hpp"

char const* version_in_second_file() { return SHARDWAY_VERSION; }
