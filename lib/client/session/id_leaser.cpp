#include "lib/client/session/id_leaser.hpp"

#include <system_error>

namespace shardway {
inline namespace v0 {
namespace {

constexpr std::chrono::milliseconds pause_after_failure{200};

steady_time now() { return system_clock_source().now(); }

}  // namespace

void id_leaser::want(blocks& of, std::uint32_t block) {
  of.wanted = block;
  if (!worker_.joinable()) worker_ = std::thread([this] { work(); });
  changed_.notify_all();
}

result<std::int64_t> id_leaser::take(std::string const& table, std::uint32_t block, steady_time deadline) {
  std::unique_lock lock{mutex_};
  auto& of = tables_[table];
  auto const failures_before = of.failures;
  for (;;) {
    if (of.current.next == of.current.end && of.spare.next != of.spare.end)
      of.current = std::exchange(of.spare, {});
    bool const has_one = of.current.next != of.current.end;
    auto const left = of.current.end - of.current.next - (has_one ? 1 : 0);  // once this call has its id
    bool const is_low = of.spare.next == of.spare.end && left <= std::int64_t{block} / 2;
    try {
      if (is_low && of.wanted == 0 && !stopping_ && (!has_one || now() >= of.not_before)) want(of, block);
    } catch (std::system_error const&) {
      of.wanted = 0;
      if (!has_one) return error{error_code::internal, "no thread could be started to lease ids"};
    }
    if (has_one) return of.current.next++;
    if (stopping_) return error{error_code::cancelled, "the client is closed"};
    auto const settled = [&] {
      return stopping_ || of.spare.next != of.spare.end || of.current.next != of.current.end ||
             of.failures != failures_before;
    };
    if (!changed_.wait_until(lock, deadline, settled))
      return error{error_code::deadline_exceeded,
                   "ids of table " + table + ": no block was leased from the catalog in time"};
    bool const has_more = of.spare.next != of.spare.end || of.current.next != of.current.end;
    if (!has_more && !stopping_ && of.failures != failures_before && of.why) return *of.why;
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
    auto& [table, of] = *next_wanted();
    auto const count = of.wanted;
    lock.unlock();
    auto const first = lease_(table, count);
    lock.lock();
    of.wanted = 0;
    if (first) {
      of.spare = {first.value(), first.value() + count};
      of.why.reset();
    } else {
      ++of.failures;
      of.why = first.error().while_doing("leasing ids of table " + table);
      of.not_before = now() + pause_after_failure;
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
