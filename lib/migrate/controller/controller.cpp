#include "shardway/migrate/controller/controller.hpp"

#include <thread>

#include "lib/migrate/controller/housekeeper.hpp"
#include "lib/migrate/controller/request_server.hpp"
#include "lib/migrate/controller/shape_watch.hpp"
#include "lib/migrate/controller/status_writer.hpp"
#include "lib/migrate/nodes/json.hpp"
#include "shardway/base/clock.hpp"
#include "shardway/base/stop_point.hpp"
#include "shardway/catalog/audit.hpp"
#include "shardway/catalog/generation_store.hpp"
#include "shardway/catalog/install.hpp"

namespace shardway {
inline namespace v0 {

using namespace migrate;
using namespace migrate::control;
namespace {

result<generation> newest_or_fail(session& source) {
  BOOST_OUTCOME_TRY(auto const version, installed_schema_version(source));
  auto const none =
      error(error_code::precondition_failed, "no generation was ever published on " + source.identity().name,
            "shardway manifest apply")
          .at_node(source.identity().name);
  if (version == 0) return none;
  BOOST_OUTCOME_TRY(auto found, read_newest_generation(source));
  if (!found) return none;
  return std::move(*found);
}

}  // namespace

struct controller::impl {
  explicit impl(controller_options options) : context(std::move(options)) {}
  ~impl() {
    if (context.streams) context.streams->stop();
  }

  result<> start();
  /// One turn of the loop: what broke off, one request, goals, mirrors, housekeeping, shapes, status.
  result<> turn();

  controller_context context;
  engine_host host{context};
  stage_driver stages{context, host};
  wave_service waves{context};
  verification_service verification{context};
  lookup_service lookups{context, waves};
  manifest_service manifests{context};
  finalizer finalization{context};
  withdrawal withdrawals{context, host, stages};
  request_server requests{
      {context, stages, waves, verification, lookups, manifests, finalization, withdrawals}};
  housekeeper house{context};
  shape_watch shapes{context};
  status_writer status{context};
};

result<> controller::impl::start() {
  auto const& options = context.options;
  BOOST_OUTCOME_TRYV(context.nodes.refresh());
  auto const sessions = context.nodes.sessions();
  auto& source = *sessions.source;
  auto all = sessions.shards;
  all.insert(all.begin(), sessions.source);
  BOOST_OUTCOME_TRY(auto first, newest_or_fail(source));
  BOOST_OUTCOME_TRY(context.lease, lease_keeper::take(options, source, all));
  stop_point("controller_after_lease");
  first.migration = options.migration;
  BOOST_OUTCOME_TRY(auto resumed, resume_waves(sessions, first, context.token(), options.waves));
  context.adopt(std::move(resumed));
  BOOST_OUTCOME_TRYV(recover_requests(source, context.token(), kinds_that_may_run_twice()));
  nodes::json const detail{{"token", context.token()}};
  BOOST_OUTCOME_TRYV(append_audit(source, options.holder, "controller_started", nodes::to_text(detail)));
  return host.ensure_engine();
}

result<> controller::impl::turn() {
  BOOST_OUTCOME_TRYV(context.nodes.refresh());
  BOOST_OUTCOME_TRYV(waves.end_broken_wave());
  BOOST_OUTCOME_TRYV(requests.serve_next());
  BOOST_OUTCOME_TRYV(stages.advance_goals());
  BOOST_OUTCOME_TRYV(host.ensure_mirrors());
  BOOST_OUTCOME_TRYV(house.keep_house());
  BOOST_OUTCOME_TRYV(shapes.watch());
  return status.write(context.nodes.source());
}

controller::controller(std::unique_ptr<impl> held) : impl_(std::move(held)) {}

controller::~controller() = default;

result<std::unique_ptr<controller>> controller::start(controller_options options) {
  auto held = std::make_unique<impl>(std::move(options));
  BOOST_OUTCOME_TRYV(held->start());
  return std::unique_ptr<controller>(new controller(std::move(held)));
}

result<> controller::run(std::stop_token stop) {
  while (!stop.stop_requested()) {
    if (impl_->context.lease->is_lost())
      return error(error_code::not_leader, "another controller has taken the lease",
                   "let it work, or stop it first");
    auto const turned = impl_->turn();
    if (!turned && turned.error().code() == error_code::not_leader) return turned.error();
    // While a node is away, the controller waits for it. So do the node's stream and mirror.
    if (!turned) sleep_for(std::chrono::milliseconds{200});
    sleep_for(std::chrono::milliseconds{20});
  }
  return success();
}

}  // namespace v0
}  // namespace shardway
