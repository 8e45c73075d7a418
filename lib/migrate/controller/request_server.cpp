#include "lib/migrate/controller/request_server.hpp"

#include "shardway/catalog/audit.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

result<> request_server::serve_next() {
  BOOST_OUTCOME_TRYV(report_failure());
  auto& context = services_.context;
  BOOST_OUTCOME_TRY(auto const next, take_request(context.nodes.source(), context.token()));
  if (!next) return success();
  return serve(*next);
}

result<> request_server::serve(request const& asked) {
  auto& context = services_.context;
  auto const answered = answer(asked);
  if (!answered) {
    if (answered.error().code() == error_code::not_leader) return answered.error();
    unreported_.emplace(asked.id, answered.error());
  }
  BOOST_OUTCOME_TRYV(context.nodes.refresh());  // the failure may have broken a session
  BOOST_OUTCOME_TRYV(report_failure());
  if (!answered || !answered.value()) return success();
  return finish_request(context.nodes.source(), context.token(), asked.id, *answered.value());
}

result<request_answer> request_server::answer(request const& asked) {
  BOOST_OUTCOME_TRYV(
      append_audit(services_.context.nodes.source(), asked.requested_by, asked.kind, asked.arguments));
  BOOST_OUTCOME_TRY(auto const* kind, find_request_kind(asked.kind));
  BOOST_OUTCOME_TRY(auto const arguments, request_arguments::parse(asked.arguments));
  return kind->serve(services_, asked, arguments);
}

result<> request_server::report_failure() {
  if (!unreported_) return success();
  auto& context = services_.context;
  BOOST_OUTCOME_TRYV(
      fail_request(context.nodes.source(), context.token(), unreported_->first, unreported_->second));
  unreported_.reset();
  return success();
}

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
