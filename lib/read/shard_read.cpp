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
          auto how = shard_host::news::failed;
          auto answer = ask(how);
          if (answer || !is_behind_ || now() >= request_.wait_end) return answer;
          host_.wait_for_news(
              request_.wait_end);  // another connection than the poll's: the poll was ahead of it
        }
      }
    }
  }

 private:
  shard_place choose() {
    if (guard_off("stream_proof")) return shard_place::shard;
    return choose_shard(request_.need, host_.view(), now() < request_.wait_end);
  }

  std::optional<read_answer> ask(shard_host::news& how) {
    auto const asked = now();
    is_behind_ = false;
    host_.told(shard_host::news::begun, {});
    auto answer = transact(how);
    host_.told(how, now() - asked);
    return answer;
  }

  // One snapshot for the proof and the read, and nothing can be written: a sequence or table of the shard is
  // not the caller's to change.
  std::optional<read_answer> transact(shard_host::news& how) {
    auto lent = host_.lend(std::min(request_.deadline, now() + lease_min));
    if (!lent && lent.error().code() == error_code::deadline_exceeded) how = shard_host::news::not_far_enough;
    if (!lent) return std::nullopt;
    statement const batch[]{{.sql = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"},
                            stream_proof_statement(request_.group, request_.slot),
                            request_.what,
                            {.sql = "COMMIT"}};
    auto answers = lent.value().link->flush(batch, now() + (request_.deadline - now()) / 2);
    if (!answers) return std::nullopt;
    how = shard_host::news::answered;
    auto& all = answers.value();
    if (!all[0] || !all[1] || !all[2]) return std::nullopt;  // the source's word counts, also on an error
    auto const said = parse_stream_proof(all[1].value());
    if (!said) return std::nullopt;
    if (!proves(said.value())) {
      is_behind_ =
          holds(said.value(), request_.generation, request_.expected);  // else waiting brings nothing
      return std::nullopt;
    }
    return made(std::move(all[2]).value(), said.value().applied);
  }

  bool proves(stream_proof const& said) const {
    if (guard_off("stream_proof")) return true;
    return holds(said, request_.generation, request_.expected) &&
           (!request_.need.position || said.applied >= request_.need.position->position);
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

std::optional<read_answer> read_on_shard(shard_host& host, shard_request const& request) {
  return shard_read{host, request}.run();
}

}  // namespace v0
}  // namespace shardway
