#include "lib/client/session/id_leaser.hpp"

#include <system_error>

namespace shardway {
inline namespace v0 {
namespace {

constexpr std::chrono::milliseconds pause_after_failure{200};

steady_time now() { return system_clock_source().now(); }

}  // namespace

void id_leaser::want(blocks& ids, std::uint32_t block) {
  ids.wanted = block;
  if (!worker_.joinable()) worker_ = std::thread([this] { work(); });
  changed_.notify_all();
}

result<std::int64_t> id_leaser::take(std::string const& table, std::uint32_t block, steady_time deadline) {
  std::unique_lock lock{mutex_};
  auto& ids = tables_[table];
  auto const failures_before = ids.failures;
  for (;;) {
    if (ids.current.next == ids.current.end && ids.spare.next != ids.spare.end)
      ids.current = std::exchange(ids.spare, {});
    bool const has_one = ids.current.next != ids.current.end;
    auto const left = ids.current.end - ids.current.next - (has_one ? 1 : 0);  // once this call has its id
    bool const is_low = ids.spare.next == ids.spare.end && left <= std::int64_t{block} / 2;
    try {
      if (is_low && ids.wanted == 0 && !stopping_ && (!has_one || now() >= ids.not_before)) want(ids, block);
    } catch (std::system_error const&) {
      ids.wanted = 0;
      if (!has_one) return error{error_code::internal, "no thread could be started to lease ids"};
    }
    if (has_one) return ids.current.next++;
    if (stopping_) return error{error_code::cancelled, "the client is closed"};
    auto const has_changed = [&] {
      return stopping_ || ids.spare.next != ids.spare.end || ids.current.next != ids.current.end ||
             ids.failures != failures_before;
    };
    if (!changed_.wait_until(lock, deadline, has_changed))
      return error{error_code::deadline_exceeded,
                   "ids of table " + table + ": no block was leased from the catalog in time"};
    bool const has_more = ids.spare.next != ids.spare.end || ids.current.next != ids.current.end;
    if (!has_more && !stopping_ && ids.failures != failures_before && ids.why) return *ids.why;
  }
}

std::map<std::string, id_leaser::blocks>::iterator id_leaser::next_wanted() {
  for (auto one = tables_.begin(); one != tables_.end(); ++one)
    if (one->second.wanted != 0) return one;
  return tables_.end();
}

void id_leaser::work() {
  std::unique_lock lock{mutex_};
  for (;;) {
    changed_.wait(lock, [&] { return stopping_ || next_wanted() != tables_.end(); });
    if (stopping_) return;
    auto& [table, ids] = *next_wanted();
    auto const count = ids.wanted;
    lock.unlock();
    auto const first = lease_(table, count);
    lock.lock();
    ids.wanted = 0;
    if (first) {
      ids.spare = {first.value(), first.value() + count};
      ids.why.reset();
    } else {
      ++ids.failures;
      ids.why = first.error().while_doing("leasing ids of table " + table);
      ids.not_before = now() + pause_after_failure;
    }
    changed_.notify_all();
  }
}

void id_leaser::stop() noexcept {
  {
    std::lock_guard const lock{mutex_};
    stopping_ = true;
  }
  changed_.notify_all();
  if (worker_.joinable()) worker_.join();
}

}  // namespace v0
}  // namespace shardway
