#include "lib/client/reads/shadow_reads.hpp"

#include <algorithm>

#include "lib/client/reads/shard_first.hpp"
#include "lib/client/reads/version_column.hpp"
#include "lib/protocol/stream_proof.hpp"
#include "lib/read/replica_choice.hpp"
#include "lib/read/shard_read.hpp"
#include "lib/sql/select_facts.hpp"
#include "lib/store/first_error.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t threads_max = 2;
constexpr std::size_t queue_max = 64;
constexpr std::size_t values_max =
    50'000;  // a larger answer has no shadow read: its digest would cost the caller too much
constexpr milliseconds statement_time{2000};  // also the longest that closing the client waits
constexpr milliseconds stream_wait{2000};     // for the stream to pass a read
constexpr milliseconds poll_interval{20};

steady_time now() { return system_clock_source().now(); }

client_options own_pools(client_options options) {
  options.connections_max = threads_max;
  return options;
}

std::uint64_t fingerprint_of(std::string_view sql) {
  std::uint64_t held = 0xcbf29ce484222325U;
  for (char const c : sql) held = (held ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return held;
}

}  // namespace

struct shadow_reads::job {
  std::shared_ptr<generation const> current;
  std::string table;
  std::string group;
  slot_id slot{};
  epoch expected{};
  node_definition shard;
  statement what;
  std::uint64_t fingerprint{};
  bool is_ordered{};
  answer_digest answer;
};

shadow_reads::shadow_reads(client_options const& options)
    : options_(own_pools(options)), pools_(options_, nullptr), work_(threads_max, queue_max) {}

void shadow_reads::stop() noexcept {
  stopping_ = true;
  work_.stop();
  pools_.close();
}

void shadow_reads::answered(call_target const& target, statement const& what, read_answer const& answer) {
  if (answer.from_shard || !is_read_ahead(target) || stopping_) return;
  auto const& table = target.table->manifest;
  if (table.reads.shadow_percent == 0 || spread_turn(turn_++) % 100 >= table.reads.shadow_percent) return;
  auto const facts = facts_of_select(what.sql);
  auto const fingerprint = fingerprint_of(what.sql);
  if (!facts.not_comparable.empty())
    return count(table.table, target.slot, fingerprint, shadow_class::not_comparable);
  if (answer.returned.size() * answer.returned.columns().size() > values_max) return drop(table.table);
  auto taken =
      std::make_shared<job const>(job{.current = target.current,
                                      .table = table.table,
                                      .group = target.group->name,
                                      .slot = target.slot,
                                      .expected = target.epoch,
                                      .shard = target.current->migration.shards[target.placed.value()],
                                      .what = what,
                                      .fingerprint = fingerprint,
                                      .is_ordered = facts.is_ordered,
                                      .answer = digest_of(answer.returned, facts.is_ordered)});
  bool const is_taken =
      work_.post([this, taken] { count(taken->table, taken->slot, taken->fingerprint, compare(*taken)); });
  if (!is_taken) drop(table.table);
}

shadow_class shadow_reads::compare(job const& compared) {
  auto const first = on_shard(compared, {});
  if (!first || first.value().columns != compared.answer.columns) return shadow_class::not_comparable;
  return first.value() == compared.answer ? shadow_class::equal : compare_later(compared);
}

shadow_class shadow_reads::compare_later(job const& compared) {
  shadow_rounds rounds{compared.answer};
  for (auto before = compared.answer;;) {
    auto const past = source_position(compared);
    if (!past) return shadow_class::not_comparable;
    auto const shard = on_shard(compared, past.value());
    if (!shard) return shadow_class::not_comparable;
    if (rounds.needs_source(shard.value())) {
      auto const source = on_source(compared);
      if (!source) return shadow_class::not_comparable;
      before = source.value();
    }
    if (rounds.is_over(shard.value(), before)) return rounds.result();
  }
}

result<lsn> shadow_reads::source_position(job const& compared) {
  auto const until = now() + statement_time;
  BOOST_OUTCOME_TRY(auto lent,
                    pools_.lend(pools_.address_of(compared.current->migration.source, true), until));
  BOOST_OUTCOME_TRY(
      auto const answer,
      lent.link->query({.sql = "SELECT pg_catalog.pg_current_wal_insert_lsn()", .name = "shardway_position"},
                       until));
  auto const position = lsn::parse(answer.text(0, 0));
  if (!position) return error{error_code::protocol_violation, "the source gave no position"};
  return *position;
}

// Reads in one snapshot that holds everything up to `past`, and waits until the stream has brought it
// there.
result<answer_digest> shadow_reads::on_shard(job const& compared, lsn past) {
  auto const wait_end = now() + stream_wait;
  for (;;) {
    auto const until = now() + statement_time;
    BOOST_OUTCOME_TRY(auto lent, pools_.lend(pools_.address_of(compared.shard, false), until));
    auto const batch = proven_read_statements(compared.group, compared.slot, compared.what);
    BOOST_OUTCOME_TRY(auto answers, lent.link->flush(batch, until));
    BOOST_OUTCOME_TRYV(first_error(std::span{answers}.first(3)));
    BOOST_OUTCOME_TRY(auto const proof, parse_stream_proof(answers[1].value()));
    if (!holds(proof, compared.current->number, compared.expected))
      return error{error_code::precondition_failed, "the shard follows another generation"};
    if (proof.applied >= past)
      return digest_of(without_version_column(std::move(answers[2]).value()), compared.is_ordered);
    lent = {};
    if (stopping_ || now() >= wait_end)
      return error{error_code::deadline_exceeded, "the stream did not pass the read in time"};
    system_clock_source().sleep_until(now() + poll_interval);
  }
}

result<answer_digest> shadow_reads::on_source(job const& compared) {
  auto const until = now() + statement_time;
  BOOST_OUTCOME_TRY(auto lent,
                    pools_.lend(pools_.address_of(compared.current->migration.source, true), until));
  statement const batch[]{{.sql = "BEGIN READ ONLY"}, compared.what, {.sql = "COMMIT"}};
  BOOST_OUTCOME_TRY(auto answers, lent.link->flush(batch, until));
  if (!answers[1]) return answers[1].error();
  return digest_of(answers[1].value(), compared.is_ordered);
}

void shadow_reads::count(std::string const& table, slot_id slot, std::uint64_t fingerprint,
                         shadow_class found) noexcept {
  {
    std::lock_guard const lock{mutex_};
    auto& counts = totals_[table];
    ++(found == shadow_class::equal       ? counts.equal
       : found == shadow_class::stale     ? counts.stale
       : found == shadow_class::different ? counts.different
                                          : counts.not_comparable);
  }
  if (options_.meter) options_.meter->count("shardway_shadow_reads_total", name(found), 1);
  if (options_.meter && found == shadow_class::different)
    options_.meter->count("shardway_shadow_different_total", table, 1);
  if (options_.listener)
    options_.listener->on_shadow_read(
        {.table = table, .found = name(found), .fingerprint = fingerprint, .slot = slot});
}

void shadow_reads::drop(std::string const& table) noexcept {
  {
    std::lock_guard const lock{mutex_};
    ++totals_[table].dropped;
  }
  if (options_.meter) options_.meter->count("shardway_shadow_reads_total", "dropped", 1);
}

std::map<std::string, client::shadow_counts> shadow_reads::totals() const {
  std::lock_guard const lock{mutex_};
  return totals_;
}

}  // namespace v0
}  // namespace shardway
