#include "lib/client/watch/generation_listener.hpp"

#include <algorithm>

#include "shardway/catalog/generation_store.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds slice{100};  // how soon a stop is noticed
constexpr milliseconds retry_pause{2000};
constexpr milliseconds connect_wait{500};

steady_time now() { return system_clock_source().now(); }

}  // namespace

// A session of its own: one that waits for notifications can do nothing else.
bool generation_listener::listen() {
  if (!options_.listen || options_.source.path == connection_path::transaction_pooler) return false;
  if (link_ && !link_->is_broken()) return true;
  is_listening_ = false;
  link_.reset();
  if (now() < retry_) return false;
  retry_ = steady_time::max();  // until this attempt is over: a pause begins after it
  auto address = options_.source;
  // The polling thread waits for it: a source that does not answer must not keep that thread from other
  // nodes.
  address.connect_timeout = std::min(address.connect_timeout, connect_wait);
  if (address.node.empty()) address.node = "source";
  address.application_name = options_.application;
  auto made = connect(address);
  bool const listens =
      made && made.value()->simple("LISTEN " + std::string{generation_channel}, now() + connect_wait);
  retry_ = now() + retry_pause;
  if (!listens) return false;
  link_ = std::move(made).value();
  is_listening_ = true;
  return true;
}

bool generation_listener::wait(steady_time until, std::function<bool()> const& is_ended) {
  bool const was_listening = is_listening_;
  if (!listen()) return false;
  if (!was_listening) return true;  // something may have been published before LISTEN: poll once
  while (now() < until && !is_ended()) {
    auto const arrived = link_->notifications(std::min(until, now() + slice));
    if (!arrived) {
      is_listening_ = false;
      link_.reset();
      return false;
    }
    if (arrived.value().empty()) continue;
    heard_ += arrived.value().size();
    return true;
  }
  return false;
}

void generation_listener::stop() noexcept {
  is_listening_ = false;
  link_.reset();
}

}  // namespace v0
}  // namespace shardway
