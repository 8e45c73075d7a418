// What the controller can be asked: one row a kind.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/migrate/controller/finalizer.hpp"
#include "lib/migrate/controller/lookup_service.hpp"
#include "lib/migrate/controller/manifest_service.hpp"
#include "lib/migrate/controller/request_arguments.hpp"
#include "lib/migrate/controller/stage_driver.hpp"
#include "lib/migrate/controller/verification_service.hpp"
#include "lib/migrate/controller/wave_service.hpp"
#include "lib/migrate/controller/withdrawal.hpp"
#include "shardway/catalog/request.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

/// What the handlers of requests use. Lifetime: all must outlive it.
struct request_services {
  controller_context& context;
  stage_driver& stages;
  wave_service& waves;
  verification_service& verification;
  lookup_service& lookups;
  manifest_service& manifests;
  finalizer& finalization;
  withdrawal& withdrawals;
};

/// The request's result as a JSON document; nothing: a service finishes the request later.
using request_answer = std::optional<std::string>;

struct request_kind {
  std::string_view name;  ///< stable, as in `controller.hpp`
  bool may_run_twice{};   ///< run again if the controller died while it ran: it changes nothing or finds what
                          ///< is done
  std::function<result<request_answer>(request_services const&, request const&, request_arguments const&)>
      serve;
};

/// Every kind, in the order of `controller.hpp`.
std::vector<request_kind> const& request_kinds();
/// Errors: `invalid_argument` listing the kinds there are.
result<request_kind const*> find_request_kind(std::string_view name);
std::vector<std::string> kinds_that_may_run_twice();

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
