// The statements of a batch, by key and by key and place (AP10).
#include <gtest/gtest.h>

#include "lib/migrate/stream/apply/sql.hpp"
#include "lib/migrate/stream/table_sql.hpp"
#include "sample_generation.hpp"
#include "support/value_of.hpp"

namespace {

using namespace shardway_test;
using namespace migrate::stream;

stream_value value(std::string text) { return {stream_value::kind_type::text, std::move(text)}; }
stream_value const unchanged{stream_value::kind_type::unchanged, {}};

class apply_sql : public ::testing::Test {
 protected:
  stream_change change(bool whole = true) const {
    return {.kind = stream_change::kind_type::upsert,
            .table = table_,
            .key = {"5"},
            .image = {value("5"), value("7"), whole ? value("n") : unchanged},
            .version = *row_version::make(epoch{1}, lsn{0x100})};
  }
  table_ptr table_ = value_of(follow_table(sample_table("shop.orders", "sales")));
  std::string const place_ = " AND " + outside_authority(*table_);
};

bool ends_with(statement const& made, std::string const& end) { return made.sql.ends_with(end); }

TEST_F(apply_sql, names_a_row_by_key_and_place_where_the_shard_has_authority) {  // AP10
  auto const whole = change(), part = change(false);
  using make = statement (*)(change_list const&, row_naming);
  for (auto const& [made, one] : {std::pair<make, stream_change const*>{delete_statement, &whole},
                                  {upsert_statement, &whole},
                                  {correct_statement, &whole},
                                  {partial_statement, &part}}) {
    auto const by_key = made({one}, row_naming::key), by_place = made({one}, row_naming::key_and_place);
    EXPECT_EQ(by_place.sql, by_key.sql + place_);
    EXPECT_NE(by_place.name, by_key.name) << "one name is one prepared statement";
    EXPECT_EQ(by_place.parameters, by_key.parameters);
  }
  auto located = change();
  located.kind = stream_change::kind_type::locate;
  EXPECT_TRUE(ends_with(locate_statement(located, row_naming::key_and_place), place_));
  window_state windows;
  windows.set(slots(1024, 4095), epoch{2}, true);
  located.windows = std::make_shared<window_state const>(windows);
  EXPECT_TRUE(ends_with(locate_statement(located, row_naming::key_and_place),
                        place_ + " AND (shardway.slot_of(t.\"customer_id\") BETWEEN 1024 AND 4095)"));
}

TEST_F(apply_sql, a_key_that_holds_the_place_needs_no_slot) {  // AP10
  auto state = sample_table("shop.orders", "sales");
  EXPECT_FALSE(value_of(follow_table(state))->key_holds_place);
  state.manifest.key = {"customer_id", "id"};
  EXPECT_TRUE(value_of(follow_table(state))->key_holds_place);
}

TEST_F(apply_sql, what_another_place_holds_is_asked_for) {  // AP10
  auto const one = change();
  auto const made = held_statement({&one});
  EXPECT_TRUE(
      made.sql.starts_with("SELECT x.n, shardway.slot_of(t.\"customer_id\"), t._shardway_version FROM "));
  EXPECT_TRUE(ends_with(
      made, " WHERE t._shardway_version IS NULL OR NOT (" + outside_authority(*table_) + ") ORDER BY 1"));
}

TEST_F(apply_sql, a_key_whose_equality_is_not_identity_is_written_too) {  // AP20
  auto state = sample_table("shop.orders", "sales");
  state.columns[0].type = "numeric";
  auto one = change();
  one.table = value_of(follow_table(state));
  EXPECT_NE(upsert_statement({&one}, row_naming::key).sql.find("SET \"id\" = excluded.\"id\", "),
            std::string::npos);
  EXPECT_NE(correct_statement({&one}, row_naming::key).sql.find("SET \"id\" = x.c0::numeric, "),
            std::string::npos);
  auto const exact = change();
  EXPECT_EQ(upsert_statement({&exact}, row_naming::key).sql.find("\"id\" = "), std::string::npos);
}

TEST(unique_expressions, are_found_in_any_language) {  // AP20
  EXPECT_EQ(unique_expressions("Key (a, lower(b))=(1, (2)) already exists."), "a, lower(b)");
  EXPECT_EQ(unique_expressions("Schl\u00fcssel \u00bb(code)=(1)\u00ab existiert bereits."), "code");
  EXPECT_EQ(unique_expressions("Conflicting key value violates it."), "");
  EXPECT_EQ(unique_expressions(""), "");
}

}  // namespace
