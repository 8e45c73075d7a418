// The request path: everything a service includes. The engine, testing and pg/interop are apart.
#pragma once

#include "shardway/client/client.hpp"
#include "shardway/manifest/generation.hpp"
#include "shardway/observe/events.hpp"
#include "shardway/observe/metrics.hpp"
#include "shardway/version.hpp"
