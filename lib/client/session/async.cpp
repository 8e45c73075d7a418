#include "shardway/client/async.hpp"

#include "lib/client/session/client_state.hpp"

namespace shardway {
inline namespace v0 {

struct async_access {
  static std::shared_ptr<client_state> const& state_of(client const& of) { return of.state_; }
  static client_session session_of(std::shared_ptr<client_state> state) {
    return client_session{std::make_unique<session_state>(std::move(state))};
  }
};

namespace {

// A promise that is kept whatever becomes of the call: one that nobody ran was given up by a client that was
// closed.
template <class Answer>
struct pending_call {
  std::promise<result<Answer>> promise;
  bool is_kept{};

  void keep(result<Answer> with) {
    is_kept = true;
    promise.set_value(std::move(with));
  }
  ~pending_call() {
    if (!is_kept)
      promise.set_value(
          error{error_code::cancelled, "the client was closed before the call began", "nothing was sent"});
  }
};

template <class Answer, class Work>
std::future<result<Answer>> post(client const& with, async_call call, Work work) {
  auto const state = async_access::state_of(with);
  auto pending = std::make_shared<pending_call<Answer>>();
  auto answer = pending->promise.get_future();
  // The background belongs to the state, so that it must not keep it alive.
  auto const weak = std::weak_ptr{state};
  bool const is_taken = state->callers.post([pending, weak, call = std::move(call), work] {
    auto alive = weak.lock();
    if (!alive) return;
    auto in = async_access::session_of(std::move(alive));
    if (!call.token.empty()) in.adopt(call.token);
    pending->keep(work(in, call));
  });
  if (!is_taken && !state->closed) {
    pending->keep(error{error_code::deadline_exceeded,
                        "as many calls as may wait are waiting for a thread: nothing was sent",
                        "wait for earlier futures, or raise connections_max or async_queue_max"});
  }
  return answer;
}

}  // namespace

std::future<result<async_receipt>> async_execute(client const& with, async_call call, write_options options) {
  return post<async_receipt>(
      with, std::move(call), [options](client_session& in, async_call const& what) -> result<async_receipt> {
        BOOST_OUTCOME_TRY(auto receipt, in.execute(what.table, what.key, what.sql, what.parameters, options));
        return async_receipt{std::move(receipt), in.token()};
      });
}

std::future<result<async_answer>> async_read(client const& with, async_call call, read_options options) {
  return post<async_answer>(
      with, std::move(call), [options](client_session& in, async_call const& what) -> result<async_answer> {
        BOOST_OUTCOME_TRY(auto answer, in.read(what.table, what.key, what.sql, what.parameters, options));
        return async_answer{std::move(answer), in.token()};
      });
}

}  // namespace v0
}  // namespace shardway
