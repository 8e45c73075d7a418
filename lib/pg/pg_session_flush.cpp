// Bodies of pg_session.hpp: statements in pipeline mode, in one round trip, with a Sync after each.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "lib/pg/pg_session.hpp"
#include "lib/pg/translate.hpp"

namespace shardway {
inline namespace v0 {
namespace pg {
namespace {

constexpr std::string_view doing = "running a statement";

struct parameter_array {
  explicit parameter_array(std::vector<text_value> const& values) {
    pointers.reserve(values.size());
    for (auto const& value : values) pointers.push_back(value ? value->c_str() : nullptr);
  }
  int count() const noexcept { return static_cast<int>(pointers.size()); }
  std::vector<char const*> pointers;
};

// libpq gives its buffer to the kernel at each Sync. This makes the kernel hold the data back and send a
// flush as a whole, so the server wakes up once. It has no effect on unix sockets.
class one_push {
 public:
  one_push(int descriptor, bool is_wanted) noexcept
      : descriptor_(descriptor), is_held_(is_wanted && set(1)) {}
  ~one_push() {
    if (is_held_) set(0);
  }
  one_push(one_push const&) = delete;
  one_push& operator=(one_push const&) = delete;

 private:
  bool set(int cork) const noexcept {
    return ::setsockopt(descriptor_, IPPROTO_TCP, TCP_CORK, &cork, sizeof cork) == 0;
  }
  int descriptor_;
  bool is_held_;
};

// 26000: the name does not exist any more (DISCARD ALL). 0A000: "cached plan must not change result type"
// after DDL. 0A000 also has other meanings; those fail again in the same way when the statement is prepared
// again.
bool is_plan_lost(std::string_view sqlstate) noexcept { return sqlstate == "26000" || sqlstate == "0A000"; }

// A statement outside a transaction commits at the Sync. An error of that commit (a deferred constraint,
// serialization) comes after the statement's own answer.
bool is_error(PGresult const* answer) noexcept { return PQresultStatus(answer) == PGRES_FATAL_ERROR; }

constexpr std::size_t parameters_max = 65'535;  // of a Bind message

bool has_nul(statement const& what) noexcept {
  auto const holds_nul = [](std::string const& text) { return text.find('\0') != std::string::npos; };
  if (holds_nul(what.sql) || holds_nul(what.name)) return true;
  for (auto const& value : what.parameters) {
    if (value && holds_nul(*value)) return true;
  }
  return false;
}

}  // namespace

bool pg_session::send(sent_statement const& one) {
  auto const& what = *one.what;
  parameter_array const values{what.parameters};
  if (one.plan == nullptr) {
    return PQsendQueryParams(link_->raw(), what.sql.c_str(), values.count(), nullptr, values.pointers.data(),
                             nullptr, nullptr, 0) == 1;
  }
  auto const& name = one.plan->on_server;
  if (one.prepares && PQsendPrepare(link_->raw(), name.c_str(), what.sql.c_str(), 0, nullptr) == 0)
    return false;
  return PQsendQueryPrepared(link_->raw(), name.c_str(), values.count(), values.pointers.data(), nullptr,
                             nullptr, 0) == 1;
}

// The Sync after each statement arms the server's idle_in_transaction_session_timeout (W6).
bool pg_session::send_sync() { return PQpipelineSync(link_->raw()) == 1; }

result<std::vector<pg_session::sent_statement>> pg_session::send_all(std::span<statement const> statements) {
  std::vector<sent_statement> sent;
  sent.reserve(statements.size());
  std::set<std::string_view> parsed;
  one_push const together{PQsocket(link_->raw()), statements.size() > 1};
  for (auto const& what : statements) {
    auto* const plan = may_prepare_ && !what.name.empty() ? &names_.plan_of(what.name) : nullptr;
    bool const had_plan = plan != nullptr && plan->is_prepared;
    bool const prepares = plan != nullptr && !had_plan && parsed.insert(what.name).second;
    sent.push_back({&what, plan, had_plan, prepares});
    if (!send(sent.back()) || !send_sync()) return link_->lost(doing);
  }
  return sent;
}

result<rows> pg_session::judge(sent_statement const& one, PGresult const* answer, bool prepare_succeeded) {
  if (prepare_succeeded) one.plan->is_prepared = true;
  auto const status = PQresultStatus(answer);
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY) {
    return rows_of(answer, link_->is_sync_wait_cancelled());
  }
  auto const failed = server_error(answer, link_->node(), doing);
  if (is_fatal(answer)) link_->mark_broken();
  if (!one.had_plan || !is_plan_lost(failed.sqlstate())) return failed;
  names_.forget(one.what->name);
  return error{error_code::serialization_failure, failed.message() + ": its plan had become invalid",
               "run the transaction again"}
      .at_node(link_->node())
      .with_server(failed.sqlstate(), failed.server_detail());
}

result<> pg_session::receive(sent_statement const& one, steady_time deadline,
                             std::vector<result<rows>>& answers) {
  link_->clear_notices();
  answer_ptr verdict;
  bool prepare_pending = one.prepares;
  bool prepare_succeeded = false;
  for (;;) {
    BOOST_OUTCOME_TRY(auto answer, link_->next_answer(deadline, doing));
    if (link_->is_broken()) return link_->lost(doing, verdict ? verdict.get() : answer.get());
    if (!answer) continue;
    auto const status = PQresultStatus(answer.get());
    if (status == PGRES_PIPELINE_SYNC) break;
    if (status == PGRES_PIPELINE_ABORTED) continue;
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
      link_->mark_broken();
      return misuse_error(link_->node(),
                          "running a COPY as a statement (use copy_out or copy_in; the session is given up)");
    }
    if (prepare_pending && status == PGRES_COMMAND_OK)
      prepare_succeeded = true;
    else if (!verdict || is_error(answer.get()))
      verdict = std::move(answer);
    prepare_pending = false;
  }
  if (!verdict) return violation_error(link_->node(), doing);
  answers.push_back(judge(one, verdict.get(), prepare_succeeded));
  return success();
}

result<std::vector<result<rows>>> pg_session::flush(std::span<statement const> statements,
                                                    steady_time deadline) {
  BOOST_OUTCOME_TRYV(link_->ready_for(doing));
  for (auto const& what : statements) {
    if (has_nul(what))
      return misuse_error(link_->node(), "a statement, name or parameter holds a NUL character; running it");
    if (what.parameters.size() > parameters_max)
      return misuse_error(link_->node(), "a statement has more than 65,535 parameters; running it");
  }
  std::vector<result<rows>> answers;
  answers.reserve(statements.size());
  if (statements.empty()) return answers;
  if (PQenterPipelineMode(link_->raw()) == 0) return link_->lost(doing);
  BOOST_OUTCOME_TRY(auto const sent, send_all(statements));
  for (auto const& one : sent) {
    auto const received = receive(one, deadline, answers);
    if (received) continue;
    salvaged_ = std::move(answers);
    return received.error();
  }
  // A FATAL error ended the session after its last answer. The caller gets the answers; is_broken() is true.
  if (PQexitPipelineMode(link_->raw()) == 0) link_->mark_broken();
  return answers;
}

result<rows> pg_session::query(statement const& what, steady_time deadline) {
  bool const may_repeat = !in_transaction() && !what.name.empty() && names_.is_prepared(what.name);
  BOOST_OUTCOME_TRY(auto answers, flush({&what, 1}, deadline));
  bool const lost_plan = !answers.front() &&
                         answers.front().error().code() == error_code::serialization_failure &&
                         is_plan_lost(answers.front().error().sqlstate());
  if (!lost_plan || !may_repeat || is_broken()) return std::move(answers.front());
  BOOST_OUTCOME_TRY(auto again, flush({&what, 1}, deadline));
  return std::move(again.front());
}

}  // namespace pg
}  // namespace v0
}  // namespace shardway
