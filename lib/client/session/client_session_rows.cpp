// Writes of one row given by its columns.
#include "lib/authority/unlisted_table.hpp"
#include "lib/client/session/session_state.hpp"
#include "shardway/write/row_statement.hpp"

namespace shardway {
inline namespace v0 {
namespace {

result<write_receipt> write_row(client_session& session, session_state& state, std::string_view table,
                                row_operation operation, row_values const& row, write_options const& options,
                                std::source_location where) {
  auto const view = state.shared->generations.view();
  auto const* found = view->current.find_table(table);
  if (!found) return unlisted_table(table, view->current);
  BOOST_OUTCOME_TRY(auto made, make_row_statement(*found, operation, row));
  return session.execute(table, made.key, made.sql, std::move(made.parameters), options, where);
}

}  // namespace

result<write_receipt> client_session::insert(std::string_view table, row_values const& row,
                                             write_options const& options, std::source_location where) {
  return write_row(*this, *state_, table, row_operation::insert, row, options, where);
}

result<write_receipt> client_session::upsert(std::string_view table, row_values const& row,
                                             write_options const& options, std::source_location where) {
  BOOST_OUTCOME_TRY(auto done, write_row(*this, *state_, table, row_operation::upsert, row, options, where));
  if (done.affected > 0 || done.answer_lost) return done;
  return error{
      error_code::shard_key_mismatch,
      "a row of " + std::string(table) + " has this primary key and another shard key; nothing was changed",
      "erase it under its old shard key first"}
      .at_node(done.node);
}

result<write_receipt> client_session::update(std::string_view table, row_values const& row,
                                             write_options const& options, std::source_location where) {
  return write_row(*this, *state_, table, row_operation::update, row, options, where);
}

result<write_receipt> client_session::erase(std::string_view table, row_values const& row_key,
                                            write_options const& options, std::source_location where) {
  return write_row(*this, *state_, table, row_operation::erase, row_key, options, where);
}

}  // namespace v0
}  // namespace shardway
