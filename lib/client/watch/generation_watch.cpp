#include "lib/client/watch/generation_watch.hpp"

#include <algorithm>
#include <utility>

#include "lib/client/pools/identified_session.hpp"
#include "lib/pg/conninfo.hpp"
#include "shardway/base/write_id.hpp"
#include "shardway/catalog/call_reports.hpp"
#include "shardway/catalog/client_registry.hpp"
#include "shardway/catalog/generation_store.hpp"
#include "shardway/version.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds heartbeat_interval{1000};
constexpr milliseconds query_time{1000};  // for one node
constexpr milliseconds query_min{
    50};  // a query that has begun gets at least this time: to give it up breaks its session
constexpr milliseconds source_pause{500};       // after the source did not answer
constexpr milliseconds report_pause{60000};     // after a report was not taken
constexpr milliseconds unreadable_pause{5000};  // until a document that could not be read is read again
constexpr milliseconds fresh_enough{2};         // a poll this recent serves every caller

steady_time now() { return system_clock_source().now(); }

}  // namespace

generation_watch::generation_watch(client_options const& options, node_pools& pools)
    : options_(options), pools_(pools), client_id_(write_id::make().to_string()), listener_(options) {}

generation_watch::~generation_watch() { stop(); }

std::shared_ptr<routing_view const> generation_watch::view() const {
  std::lock_guard const lock{mutex_};
  return view_;
}

result<> generation_watch::take(generation found, std::string const& node) {
  auto const before = number();
  if (found.number <= before) return success();
  BOOST_OUTCOME_TRY(auto made, make_view(std::move(found), conninfo_user(options_.source.conninfo)));
  auto const after = made->current.number;
  {
    std::lock_guard const lock{mutex_};
    view_ = std::move(made);
    number_.store(after, std::memory_order_release);
  }
  if (options_.listener) options_.listener->on_generation({before, after, node});
  return success();
}

result<> generation_watch::take_from(session& link, std::string const& node, steady_time deadline) {
  query_limit const limited{link, std::min(std::max(deadline, now() + query_min), now() + query_time)};
  BOOST_OUTCOME_TRY(auto const newest, newest_generation_number(link));
  auto const& known = unreadable_[node];
  if (newest <= number() || (newest == known.number && now() < known.again)) return success();
  BOOST_OUTCOME_TRY(auto read, read_newest_readable_generation(link, number()));
  auto taken = read.found ? take(std::move(*read.found), node) : result<>{success()};
  if (!taken)
    refuse(newest, node, taken.error());
  else if (read.newest > number())
    refuse(read.newest, node, read.why);
  // A client that has none yet asks the other nodes too.
  if (number() == 0 && read.newest > 0) return taken ? read.why : taken.error();
  return success();
}

// The client keeps the last good generation. The fences of the nodes decide what it may still do.
void generation_watch::refuse(std::uint64_t newest, std::string const& node, error const& why) {
  unreadable_[node] = {newest, now() + unreadable_pause};
  ask_others_ = true;
  auto const text = why.to_string();
  {
    std::lock_guard const lock{mutex_};
    if (refused_.refused_generation == newest) return;
    refused_.refused_generation = newest;
    refused_.why = text;
    ++refused_.refusals;
  }
  if (options_.listener) options_.listener->on_generation_refused({newest, number(), node, text});
  if (options_.meter) options_.meter->count("shardway_generations_refused_total", "", 1);
}

client_health generation_watch::health() const {
  std::lock_guard const lock{mutex_};
  auto now = refused_;
  now.generation = number();
  if (now.refused_generation <= now.generation) now.refused_generation = 0;
  now.is_listening = listener_.is_listening();
  now.heard = listener_.heard();
  return now;
}

result<> generation_watch::poll_source(steady_time latest) {
  auto const query_end = now() + query_time;
  auto const deadline = std::min(latest, query_end);
  bool const is_hurried = latest < query_end;  // the caller's deadline says nothing about the source
  if (!source_ || source_->is_broken()) {
    source_.reset();
    if (now() < source_retry_)
      return error{error_code::node_unreachable, "the source did not answer a moment ago"};
    auto address = options_.source;
    if (address.node.empty()) address.node = "source";
    address.application_name = options_.application;
    auto const left = std::chrono::duration_cast<milliseconds>(deadline - now());
    address.connect_timeout = std::clamp(left, milliseconds{1}, address.connect_timeout);
    auto made = connect_identified(address, nullptr);
    if (!made) {
      if (!is_hurried) source_retry_ = now() + source_pause;
      return made.error();
    }
    source_ = std::move(made).value();
  }
  auto taken = take_from(*source_, "source", deadline);
  if (!taken && source_->is_broken() && !is_hurried) source_retry_ = now() + source_pause;
  return taken;
}

// Each node holds a copy, published there before the source had it.
result<> generation_watch::poll_others(steady_time deadline) {
  std::vector<connect_options> addresses;
  if (auto const known = view())
    for (auto const& shard : known->current.migration.shards)
      addresses.push_back(pools_.address_of(shard, false));
  else
    addresses = options_.nodes;
  result<> last{error{error_code::node_unreachable,
                      "looking for a generation: neither the source nor another node answered"}};
  for (auto const& address : addresses) {
    if (now() >= deadline) break;
    auto lent = pools_.lend(address, std::min(deadline, now() + query_time));
    auto taken = lent ? take_from(*lent.value().link, address.node, deadline) : result<>{lent.error()};
    if (taken) last = success();
  }
  return last;
}

result<> generation_watch::poll(steady_time deadline) {
  auto const by_source = poll_source(deadline);
  if (by_source && !std::exchange(ask_others_, false)) return success();
  auto const by_others = poll_others(deadline);
  ask_others_ = false;
  return by_source || by_others ? result<>{success()} : by_source;
}

result<bool> generation_watch::refresh(std::uint64_t seen, steady_time deadline) {
  auto const called = now();
  if (number() > seen) return true;
  std::unique_lock const lock{poll_mutex_, deadline};
  if (!lock)
    return error{error_code::deadline_exceeded,
                 "looking for a generation: another look was not over by the deadline"};
  if (polled_ + fresh_enough < called) {
    last_ = poll(deadline);
    polled_ = now();
  }
  if (number() > seen) return true;
  if (!last_) return last_.error();
  return false;
}

result<> generation_watch::start() {
  {
    std::lock_guard const lock{poll_mutex_};
    BOOST_OUTCOME_TRYV(poll(now() + query_time + options_.source.connect_timeout));
  }
  if (!view())
    return error{error_code::precondition_failed, "opening a client: no generation is published",
                 "apply the manifests first: `shardway manifest apply`"};
  heartbeat();
  thread_ = std::thread([this] { work(); });
  return success();
}

void generation_watch::heartbeat() {
  std::lock_guard const lock{poll_mutex_};
  next_heartbeat_ = now() + heartbeat_interval;
  if (!source_ || source_->is_broken()) return;
  query_limit const limited{*source_, now() + query_time};
  client_entry const entry{.client_id = client_id_,
                           .application = options_.application,
                           .library_version = SHARDWAY_VERSION,
                           .generation = number()};
  auto const done = heartbeat_client(*source_, entry);
  if (!done) report_trouble("registering the client", done.error());
}

// That the schema is gone is said once, until a poll finds it again.
void generation_watch::report_trouble(std::string_view what, error const& why) {
  bool const has_ended = why.code() == error_code::migration_ended;
  if (has_ended && std::exchange(has_said_ended_, true)) return;
  if (options_.listener) options_.listener->on_trouble(has_ended ? "the migration has ended" : what, why);
}

// A catalog of an older schema has no table for reports. The listener learns of it, and the upload is
// tried again later.
void generation_watch::upload_report() {
  if (!make_report_) return;
  auto report = make_report_();
  std::lock_guard const lock{poll_mutex_};
  next_report_ = now() + options_.report_interval;
  if (!source_ || source_->is_broken() || report == reported_) return;
  query_limit const limited{*source_, now() + query_time};
  auto const done = put_call_report(*source_, client_id_, options_.application, report);
  if (done) {
    reported_ = std::move(report);
    return;
  }
  next_report_ = now() + report_pause;
  report_trouble("uploading the call report", done.error());
}

// False: the client ends.
bool generation_watch::wait_for_news() {
  auto const until = now() + options_.generation_interval;
  auto const is_ended = [&] {
    std::lock_guard const lock{stop_mutex_};
    return stopping_;
  };
  if (listener_.wait(until, is_ended)) return !is_ended();
  std::unique_lock lock{stop_mutex_};
  return !stop_changed_.wait_until(lock, until, [&] { return stopping_; });
}

void generation_watch::work() {
  while (wait_for_news()) {
    auto const before = number();
    auto const polled = refresh(before, now() + query_time * 2);
    if (polled) has_said_ended_ = false;
    if (!polled) report_trouble("looking for a generation", polled.error());
    // A new generation is registered at once: the wave's gate waits for it.
    if (number() != before || now() >= next_heartbeat_) heartbeat();
    if (now() >= next_report_) upload_report();
  }
}

void generation_watch::stop() noexcept {
  {
    std::lock_guard const lock{stop_mutex_};
    stopping_ = true;
  }
  stop_changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  listener_.stop();
  upload_report();
  make_report_ = nullptr;
  std::lock_guard const lock{poll_mutex_};
  if (source_ && !source_->is_broken()) {
    query_limit const limited{*source_, now() + query_time};
    (void)leave_client(*source_, client_id_);
  }
  source_.reset();
}

}  // namespace v0
}  // namespace shardway
