// Reference tables are read on a shard's copy if the stream has delivered what the session has seen, else on
// the source.
#include <set>

#include "read_ahead_fixture.hpp"

namespace {

using namespace shardway_test;

class reference_read : public read_ahead {
 protected:
  static read_answer name_of(client_session& in, std::string const& code) {
    return value_of(
        in.read("shop.currencies", {}, "SELECT name FROM shop.currencies WHERE code = $1", {code}));
  }
  static void insert(client_session& in, std::string const& code) {
    require(in.execute("shop.currencies", {}, "INSERT INTO shop.currencies VALUES ($1, $1)", {code}));
  }
  /// Reads until every node that may answer has answered.
  static void every_node_answers(client_session& in, std::string const& code) {
    std::set<std::string> nodes;
    soon("every node answers", [&] {
      auto const answer = name_of(in, code);
      EXPECT_EQ(shown(answer), code);
      nodes.insert(answer.node);
      return nodes.size() == 3;
    });
  }
};

TEST_F(reference_read, shards_and_the_source_answer_in_turn) {
  auto app = fleet().open();
  auto session = app.session();
  insert(session, "EUR");
  every_node_answers(session, "EUR");
  EXPECT_GT(app.totals().reads_shard, 0U);
}

// I8: a shard satisfies a token of the source when its stream has passed the token's position.
TEST_F(reference_read, a_session_sees_its_write_while_the_streams_stand_still) {
  auto app = fleet().open();
  auto session = app.session();
  insert(session, "SEK");
  every_node_answers(session, "SEK");
  std::vector<std::unique_ptr<shardway::session>> holders;
  for (std::size_t i = 0; i < 2; ++i) {
    holders.push_back(open_on(fleet().servers().shard(i)));
    require(holders.back()->simple("BEGIN; LOCK TABLE shop.currencies IN SHARE ROW EXCLUSIVE MODE"));
  }
  insert(session, "NOK");
  for (int i = 0; i < 12; ++i) {
    auto const answer = name_of(session, "NOK");
    EXPECT_EQ(shown(answer), "NOK");
    EXPECT_EQ(answer.node, "source");
  }
  setenv("SHARDWAY_GUARD_OFF", "stream_proof", 1);
  bool absent = false;
  for (int i = 0; i < 12; ++i) absent = absent || shown(name_of(session, "NOK")) == "absent";
  unsetenv("SHARDWAY_GUARD_OFF");
  EXPECT_TRUE(absent) << "a copy without the write was to be seen";
  for (auto& one : holders) require(one->simple("ROLLBACK"));
  every_node_answers(session, "NOK");
}

TEST_F(reference_read, a_join_with_a_sharded_table_stays_on_the_source) {
  auto app = open_serving();
  auto session = app.session();
  insert(session, "DKK");
  every_node_answers(session, "DKK");
  for (int i = 0; i < 6; ++i) {
    auto const joined = value_of(session.read("shop.currencies", {},
                                              "SELECT c.code FROM shop.currencies c LEFT JOIN shop.orders o "
                                              "ON o.note = c.code WHERE c.code = 'DKK'"));
    EXPECT_EQ(joined.node, "source");
    EXPECT_EQ(joined.returned.size(), 1U);
  }
}

TEST_F(reference_read, a_sharded_row_is_joined_with_the_copy_on_its_shard) {
  auto app = open_serving();
  auto session = app.session();
  insert(session, "ISK");
  auto const key = fresh_key_on(1);
  read_ahead::insert(session, key, "ISK");
  soon("the shard answers", [&] {
    auto const joined = value_of(session.read(
        "shop.orders", key,
        "SELECT c.name FROM shop.orders o JOIN shop.currencies c ON c.code = o.note WHERE o.customer_id = $1",
        {text(key)}));
    EXPECT_EQ(shown(joined), "ISK");
    return joined.from_shard;
  });
}

}  // namespace
