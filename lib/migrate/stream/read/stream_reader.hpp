// The loop that reads a change stream, in either direction: source to shards, shard to source.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>

#include "lib/migrate/nodes/back_off.hpp"
#include "lib/migrate/stream/read/transaction_assembler.hpp"
#include "shardway/base/clock.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

/// What a direction does with what its reader brings. The reader calls everything on its own thread, and
/// tries again after an error of the connection.
class stream_consumer {
 public:
  virtual ~stream_consumer() = default;

  /// Connects, finds out where to start, opens the stream there. Null: there is nothing to read, the reader
  /// is stopping.
  virtual result<std::unique_ptr<change_stream>> open() = 0;
  /// Closes the consumer's connections: the stream broke, or the reader stops.
  virtual void close() = 0;
  virtual result<> take_transaction(decoded_transaction const&) = 0;
  /// Everything before `position` was brought, and no transaction is open.
  virtual result<> take_position(lsn position) = 0;
  /// Asks the origin how far it is.
  virtual result<> poll() = 0;
  /// What may be confirmed to the server: all of it is durable on the targets (I10). Called before each
  /// confirmation.
  virtual result<lsn> prepare_confirmation() = 0;
  /// After each event, or when none came for a moment. `is_open`: a transaction is being read.
  virtual result<> idle(bool is_open) = 0;
};

struct stream_reader_options {
  std::string origin;  ///< "source" or "shard", for error texts
  std::size_t transaction_bytes_max{};
  std::chrono::milliseconds retry_delay_max{};
  std::chrono::milliseconds confirm_every{};
  std::chrono::milliseconds poll_every{500};
};

/// Thread safety: `run` on one thread, everything that consumers call on the same; `stop`, `is_stopping` and
/// `is_connected` from any.
class stream_reader {
 public:
  /// Lifetime: the consumer outlives the reader.
  stream_reader(stream_reader_options options, stream_consumer& consumer);

  /// Reads until it is stopped, and connects again where that helps. Errors: what connecting again does not
  /// cure.
  result<> run();
  void stop() noexcept { is_stopping_ = true; }
  bool is_stopping() const noexcept { return is_stopping_; }
  bool is_connected() const noexcept { return is_connected_; }

  /// For a consumer that waits: what is due, so that the server hears from us all the same.
  result<> maintain();
  /// Confirms a position at once.
  result<> confirm(lsn position);

 private:
  result<> read();
  result<> take(stream_event event);

  stream_reader_options const options_;
  stream_consumer& consumer_;
  transaction_assembler assembler_;
  nodes::back_off back_off_;
  std::unique_ptr<change_stream> stream_;
  lsn confirmed_{};
  steady_time next_confirm_{};
  steady_time next_poll_{};
  std::atomic<bool> is_stopping_{};
  std::atomic<bool> is_connected_{};
};

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
