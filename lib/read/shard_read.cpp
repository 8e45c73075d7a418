#include "lib/read/shard_read.hpp"

#include <algorithm>

#include "shardway/base/test_switch.hpp"

namespace shardway {
inline namespace v0 {
namespace {

constexpr std::chrono::milliseconds lease_min{50};

steady_time now() { return system_clock_source().now(); }

class shard_read {
 public:
  shard_read(shard_host& host, shard_request const& request)
      : host_(host), request_(request), begun_(now()) {}

  std::optional<read_answer> run() {
    for (;;) {
      switch (choose()) {
        case shard_place::source:
          return std::nullopt;
        case shard_place::wait:
          host_.wait_for_news(request_.wait_end);
          break;
        case shard_place::shard: {
          auto ended_as = read_outcome::failed;
          auto answer = ask(ended_as);
          if (answer || !is_behind_ || now() >= request_.wait_end) return answer;
          host_.wait_for_news(request_.wait_end);  // the poll used another connection and may be ahead
        }
      }
    }
  }

 private:
  shard_place choose() {
    if (guard_off("stream_proof")) return shard_place::shard;
    return choose_shard(request_.need, host_.view(), now() < request_.wait_end);
  }

  std::optional<read_answer> ask(read_outcome& ended_as) {
    auto const asked = now();
    is_behind_ = false;
    host_.record(read_outcome::begun, {});
    auto answer = transact(ended_as);
    host_.record(ended_as, now() - asked);
    return answer;
  }

  std::optional<read_answer> transact(read_outcome& ended_as) {
    auto lent = host_.lend(std::min(request_.deadline, now() + lease_min));
    if (!lent && lent.error().code() == error_code::deadline_exceeded)
      ended_as = read_outcome::not_far_enough;
    if (!lent) return std::nullopt;
    auto const batch = proven_read_statements(request_.group, request_.slot, request_.what);
    auto answers = lent.value().link->flush(batch, now() + (request_.deadline - now()) / 2);
    if (!answers) return std::nullopt;
    ended_as = read_outcome::answered;
    auto& all = answers.value();
    if (!all[0] || !all[1] || !all[2]) return std::nullopt;  // the source decides, also about errors
    auto const proof = parse_stream_proof(all[1].value());
    if (!proof) return std::nullopt;
    if (!proves(proof.value())) {
      // Waiting helps only if nothing but the position is missing.
      is_behind_ = holds(proof.value(), request_.generation, request_.expected);
      return std::nullopt;
    }
    return made(std::move(all[2]).value(), proof.value().applied);
  }

  bool proves(stream_proof const& proof) const {
    if (guard_off("stream_proof")) return true;
    return holds(proof, request_.generation, request_.expected) &&
           (!request_.need.position || proof.applied >= request_.need.position->position);
  }

  read_answer made(rows returned, lsn applied) const {
    read_answer answer{.returned = std::move(returned),
                       .node = host_.name(),
                       .from_replica = false,
                       .position = applied,
                       .waited = std::chrono::duration_cast<std::chrono::microseconds>(now() - begun_)};
    answer.from_shard = true;
    return answer;
  }

  shard_host& host_;
  shard_request const& request_;
  steady_time begun_;
  bool is_behind_{};  // the last answer lacked the position only
};

}  // namespace

std::array<statement, 4> proven_read_statements(std::string const& group, slot_id slot,
                                                statement const& read) {
  return {statement{.sql = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"},
          stream_proof_statement(group, slot), read, statement{.sql = "COMMIT"}};
}

std::optional<read_answer> read_on_shard(shard_host& host, shard_request const& request) {
  return shard_read{host, request}.run();
}

}  // namespace v0
}  // namespace shardway
