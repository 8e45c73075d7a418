#include "lib/pg/application_session.hpp"

#include "lib/pg/connection.hpp"
#include "lib/pg/pg_session.hpp"

namespace shardway {
inline namespace v0 {

result<std::unique_ptr<session>> connect_for_application(connect_options const& options) {
  BOOST_OUTCOME_TRY(auto made, pg::make_connection(options, pg::connection_use::application));
  return std::unique_ptr<session>{
      std::make_unique<pg::pg_session>(std::move(made.link), std::move(made.identity), options.path)};
}

}  // namespace v0
}  // namespace shardway
