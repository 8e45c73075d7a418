// The version of the headers. The inline namespace `v0` changes when the binary interface does.
#pragma once

#define SHARDWAY_VERSION_MAJOR 0
#define SHARDWAY_VERSION_MINOR 1
#define SHARDWAY_VERSION_PATCH 0
#define SHARDWAY_VERSION "0.1.0"
