#include "generation_listener.hpp"

#include <algorithm>

#include "shardway/catalog/generation_store.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds slice{100};       // how soon a stop is noticed
constexpr milliseconds retry_pause{2000};

steady_time now() { return system_clock_source().now(); }

}  // namespace

// A session of its own: one that waits for notifications can do nothing else.
bool generation_listener::listen() {
  if (!options_.listen || options_.source.path == connection_path::transaction_pooler) return false;
  if (link_ && !link_->is_broken()) return true;
  is_listening_ = false;
  link_.reset();
  if (now() < retry_) return false;
  retry_ = now() + retry_pause;
  auto address = options_.source;
  if (address.node.empty()) address.node = "source";
  address.application_name = options_.application;
  auto made = connect(address);
  if (!made) return false;
  if (!made.value()->simple("LISTEN " + std::string{generation_channel}, now() + address.connect_timeout)) return false;
  link_ = std::move(made).value();
  is_listening_ = true;
  return true;
}

bool generation_listener::wait(steady_time until, std::function<bool()> const& is_ended) {
  bool const was_listening = is_listening_;
  if (!listen()) return false;
  if (!was_listening) return true;  // what was published before LISTEN: look once
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
