#include "lib/migrate/stream/chunk.hpp"

#include <algorithm>
#include <charconv>

#include "shardway/base/ensure.hpp"
#include "shardway/base/test_switch.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {
namespace {

std::optional<std::uint64_t> take_xid(std::string_view& text, char mark) {
  std::uint64_t value{};
  auto const end_of_text = text.data() + text.size();
  auto const [end, failure] = std::from_chars(text.data(), end_of_text, value);
  if (failure != std::errc{} || (mark && (end == end_of_text || *end != mark))) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + (end == end_of_text ? 0 : 1));
  return value;
}

}  // namespace

xid_snapshot::xid_snapshot(std::uint64_t xmin, std::uint64_t xmax, std::vector<std::uint64_t> running)
    : xmin_(xmin), xmax_(xmax), running_(std::move(running)) {
  std::sort(running_.begin(), running_.end());
}

std::optional<xid_snapshot> xid_snapshot::parse(std::string_view text) {
  auto const xmin = take_xid(text, ':');
  auto const xmax = xmin ? take_xid(text, ':') : std::nullopt;
  if (!xmax) return std::nullopt;
  std::vector<std::uint64_t> running;
  while (!text.empty()) {
    auto const one = take_xid(text, 0);
    if (!one) return std::nullopt;
    running.push_back(*one);
  }
  return xid_snapshot{*xmin, *xmax, std::move(running)};
}

std::uint64_t xid_snapshot::widen(std::uint32_t xid) const noexcept {
  constexpr std::uint64_t round = std::uint64_t{1} << 32;
  std::uint64_t const same = (xmax_ & ~(round - 1)) | xid;
  if (same > xmax_ + round / 2 && same >= round) return same - round;
  if (same + round / 2 < xmax_) return same + round;
  return same;
}

bool xid_snapshot::shows(std::uint32_t xid) const noexcept {
  auto const wide = widen(xid);
  if (wide < xmin_) return true;
  return wide < xmax_ && !std::binary_search(running_.begin(), running_.end(), wide);
}

void passed_transactions::prune(xid_snapshot const& snapshot) {
  std::erase_if(xids_, [&](std::uint32_t xid) { return snapshot.shows(xid); });
}

chunk_route chunk_machine::route() const noexcept {
  if (step_ == chunk_step::planned) return chunk_route::skip;
  return step_ == chunk_step::open || step_ == chunk_step::copying ? chunk_route::defer : chunk_route::apply;
}

void chunk_machine::open(std::vector<std::uint32_t> passed) {
  ensure(step_ == chunk_step::planned, "I6: only a planned chunk is opened");
  passed_ = std::move(passed);
  step_ = chunk_step::open;
}

bool chunk_machine::accept(xid_snapshot snapshot) {
  ensure(step_ == chunk_step::open, "I6: a snapshot is taken of an open chunk");
  auto const shown = [&](std::uint32_t xid) { return snapshot.shows(xid); };
  if (!guard_off("chunk_visibility") && !std::all_of(passed_.begin(), passed_.end(), shown)) return false;
  snapshot_ = std::move(snapshot);
  passed_.clear();
  step_ = chunk_step::copying;
  return true;
}

void chunk_machine::copied() {
  ensure(step_ == chunk_step::copying, "I6: only a chunk with an accepted snapshot is copied");
  step_ = chunk_step::closing;
}

void chunk_machine::close() {
  ensure(step_ == chunk_step::closing, "I6: a chunk is closed after its deferred changes");
  step_ = chunk_step::closed;
}

void chunk_machine::fail() {
  ensure(step_ == chunk_step::open || step_ == chunk_step::copying,
         "I6: only an unfinished chunk is copied again");
  *this = chunk_machine{};
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
