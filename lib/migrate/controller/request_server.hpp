// Takes requests from the catalog, one a turn, and writes what became of them.
#pragma once

#include <optional>
#include <utility>

#include "lib/migrate/controller/request_kinds.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

/// Thread safety: not safe. Lifetime: the services must outlive it.
class request_server {
 public:
  explicit request_server(request_services services) : services_(services) {}

  /// Serves the oldest queued request, if there is one. A request that fails is no error of this function.
  /// Errors: `not_leader`; those of connections. A failure that could not be written is written by the next
  /// call.
  result<> serve_next();

 private:
  result<> serve(request const&);
  /// Audits the request and calls its handler.
  result<request_answer> answer(request const&);
  result<> report_failure();

  request_services services_;
  std::optional<std::pair<std::int64_t, error>> unreported_{};  ///< a request that failed, and why
};

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
