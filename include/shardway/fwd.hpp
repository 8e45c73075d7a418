// Declares the classes of the request path without defining them.
#pragma once

namespace shardway {
inline namespace v0 {

class error;
class lsn;
class row_version;
class write_id;
class shard_key;
class rows;
class session;
class client;
class client_session;
struct async_access;
class write_transaction;
class events;
class metrics;
struct statement;
struct generation;
struct client_options;
struct connect_options;
struct write_options;
struct read_options;
struct write_receipt;
struct read_answer;

}  // namespace v0
}  // namespace shardway
