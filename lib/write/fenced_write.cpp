#include "lib/write/fenced_write.hpp"

#include "lib/write/fenced_call.hpp"
#include "lib/write/one_shot.hpp"
#include "lib/write/operation.hpp"
#include "lib/write/transaction_attempt.hpp"

namespace shardway {
inline namespace v0 {

result<write_receipt> execute_fenced(write_host& host, dual_writer& dual_write, write_address const& address,
                                     std::string_view sql, std::vector<text_value> parameters,
                                     write_options const& options) {
  fenced_call call{host, dual_write, address, options, operation_of(address, sql, parameters, options)};
  return call.run([&](fenced_call& attempted, call_target const& target) {
    return attempt_one_shot(attempted, target, sql, parameters);
  });
}

result<write_receipt> run_fenced(write_host& host, dual_writer& dual_write, write_address const& address,
                                 std::function<result<>(write_transaction&)> const& body,
                                 write_options const& options) {
  fenced_call call{host, dual_write, address, options, operation_of(address, {}, {}, options)};
  return call.run([&](fenced_call& attempted, call_target const& target) {
    return attempt_transaction(attempted, target, body);
  });
}

}  // namespace v0
}  // namespace shardway
