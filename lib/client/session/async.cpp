#include "shardway/client/async.hpp"

#include "lib/client/session/session_state.hpp"

namespace shardway {
inline namespace v0 {

struct async_access {
  static std::shared_ptr<client_state> const& state_of(client const& owner) { return owner.state_; }
  static client_session session_of(std::shared_ptr<client_state> state) {
    return client_session{std::make_unique<session_state>(std::move(state))};
  }
};

namespace {

// Keeps its promise whatever happens to the call. If nobody ran the call, the client was closed.
template <class Answer>
struct pending_call {
  std::promise<result<Answer>> promise;
  bool is_kept{};

  void keep(result<Answer> answer) {
    is_kept = true;
    promise.set_value(std::move(answer));
  }
  ~pending_call() {
    if (!is_kept)
      promise.set_value(
          error{error_code::cancelled, "the client was closed before the call began", "nothing was sent"});
  }
};

template <class Answer, class Work>
std::future<result<Answer>> post(client const& owner, async_call call, Work work) {
  auto const state = async_access::state_of(owner);
  auto pending = std::make_shared<pending_call<Answer>>();
  auto answer = pending->promise.get_future();
  // The state owns the background, so a queued call must not keep the state alive.
  auto const weak = std::weak_ptr{state};
  bool const is_taken = state->callers.post([pending, weak, call = std::move(call), work] {
    auto alive = weak.lock();
    if (!alive) return;
    auto session = async_access::session_of(std::move(alive));
    if (!call.token.empty()) session.adopt(call.token);
    pending->keep(work(session, call));
  });
  if (!is_taken && !state->closed) {
    pending->keep(error{error_code::deadline_exceeded,
                        "as many calls as may wait are waiting for a thread: nothing was sent",
                        "wait for earlier futures, or raise connections_max or async_queue_max"});
  }
  return answer;
}

}  // namespace

std::future<result<async_receipt>> async_execute(client const& owner, async_call call,
                                                 write_options options) {
  return post<async_receipt>(
      owner, std::move(call),
      [options](client_session& session, async_call const& what) -> result<async_receipt> {
        BOOST_OUTCOME_TRY(auto receipt,
                          session.execute(what.table, what.key, what.sql, what.parameters, options));
        return async_receipt{std::move(receipt), session.token()};
      });
}

std::future<result<async_answer>> async_read(client const& owner, async_call call, read_options options) {
  return post<async_answer>(
      owner, std::move(call),
      [options](client_session& session, async_call const& what) -> result<async_answer> {
        BOOST_OUTCOME_TRY(auto answer,
                          session.read(what.table, what.key, what.sql, what.parameters, options));
        return async_answer{std::move(answer), session.token()};
      });
}

}  // namespace v0
}  // namespace shardway
