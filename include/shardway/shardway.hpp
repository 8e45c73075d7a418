// The request path: all that a service includes. The engine, `testing` and pg/interop.hpp have headers of
// their own.
#pragma once

#include "shardway/client/client.hpp"
#include "shardway/manifest/generation.hpp"
#include "shardway/observe/events.hpp"
#include "shardway/observe/metrics.hpp"
#include "shardway/version.hpp"
