#include "shardway/pg/interop.hpp"

#include <exception>
#include <tuple>
#include <utility>

#include "lib/pg/pg_session.hpp"
#include "lib/pg/translate.hpp"
#include "shardway/base/sqlstate.hpp"

namespace shardway {
inline namespace v0 {

struct lent_connection::loan {
  std::shared_ptr<pg::connection> lender;
  pqxx::connection lent;
};

result<lent_connection> lent_connection::lend(session& lender) {
  auto* const ours = dynamic_cast<pg::pg_session*>(&lender);
  if (!ours)
    return pg::misuse_error(lender.identity().name,
                            "lending the connection of a session that is not one of `connect` itself");
  auto link = ours->share_link();
  BOOST_OUTCOME_TRYV(link->ready_for("lending the connection"));
  auto* const raw = link->lend();
  try {
    return lent_connection{std::make_unique<loan>(loan{link, pqxx::connection::seize_raw_connection(raw)})};
  } catch (std::exception const&) {
    // libpqxx refuses a connection only before it has taken it over.
    link->take_back(raw);
    return error{error_code::internal, "libpqxx refused the connection of node \"" + link->node() + "\""}
        .at_node(link->node());
  }
}

lent_connection::lent_connection(std::unique_ptr<loan> made) noexcept : loan_(std::move(made)) {}
lent_connection::lent_connection(lent_connection&&) noexcept = default;
lent_connection& lent_connection::operator=(lent_connection&& other) noexcept {
  if (this != &other) {
    std::ignore = give_back();
    loan_ = std::move(other.loan_);
  }
  return *this;
}
lent_connection::~lent_connection() { std::ignore = give_back(); }

pqxx::connection& lent_connection::operator*() const noexcept { return loan_->lent; }

result<> lent_connection::give_back() {
  if (!loan_) return success();
  auto const done = std::exchange(loan_, nullptr);
  done->lender->take_back(std::move(done->lent).release_raw_connection());
  if (done->lender->is_broken()) return done->lender->lost("using the lent connection");
  return success();
}

error error_of(pqxx::failure const& thrown, std::string_view node) {
  std::string const name{node};
  if (auto const* sql = dynamic_cast<pqxx::sql_error const*>(&thrown))
    return error{code_of_sqlstate(sql->sqlstate()), "a statement sent through libpqxx failed on node \"" +
                                                        name + "\" with SQLSTATE " + sql->sqlstate()}
        .at_node(name)
        .with_server(sql->sqlstate(), sql->what());
  bool const is_lost = dynamic_cast<pqxx::broken_connection const*>(&thrown) != nullptr;
  return error{is_lost ? error_code::connection_lost : error_code::sql_error,
               "libpqxx failed on node \"" + name + "\""}
      .at_node(name)
      .with_server({}, thrown.what());
}

}  // namespace v0
}  // namespace shardway
