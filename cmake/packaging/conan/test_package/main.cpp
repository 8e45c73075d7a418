#include "shardway/route/shard_key.hpp"
#include "shardway/route/slot.hpp"

int main() { return shardway::shard_key{42}.check() ? 0 : 1; }
