// Texts that are remembered are those of their own statement, table, stage and generation.
#include "lib/write/framed_text.hpp"

#include <set>

#include <gtest/gtest.h>

#include "lib/sql/known_statement.hpp"

namespace {

using namespace shardway;

constexpr char update_sql[] = "UPDATE shop.orders SET total = $1 WHERE id = $2 RETURNING *";

std::shared_ptr<generation const> generation_with(std::vector<std::string> const& columns) {
  auto made = std::make_shared<generation>();
  made->number = 1;
  table_state table;
  table.manifest.table = "shop.orders";
  table.manifest.key = table.manifest.shard_key = {"id"};
  for (auto const& name : columns) table.columns.push_back({.name = name, .type = "bigint"});
  made->tables = {table, table};
  made->tables[1].manifest.table = "shop.lines";
  return made;
}

std::shared_ptr<framed_text const> text_in(std::shared_ptr<generation const> const& current,
                                           bool with_outbox = true, std::size_t table = 0) {
  return framed_text_of(current, current->tables[table], know_statement(update_sql)->lexed, update_sql,
                        with_outbox, false);
}

TEST(framed_text, is_made_once_for_a_generation) {
  auto const now = generation_with({"id", "total"});
  EXPECT_EQ(text_in(now), text_in(now));
  EXPECT_NE(text_in(now)->sql, text_in(now, false)->sql);
  EXPECT_NE(text_in(now)->sql, text_in(now, true, 1)->sql);
  EXPECT_FALSE(text_in(now)->name.empty());
}

// Each generation is freed before the next is made, most often at the same address and always with the same
// number.
TEST(framed_text, of_another_generation_is_never_used) {
  std::set<std::string> seen;
  std::vector<std::string> columns{"id", "total"};
  for (int i = 0; i < 50; ++i) {
    columns.push_back("extra_" + std::to_string(i));
    seen.insert(text_in(generation_with(columns))->capture.returning);
  }
  EXPECT_EQ(seen.size(), 50U);
}

TEST(know_statement, remembers_what_the_lexer_said_past_its_bound) {
  for (int turn = 0; turn < 2; ++turn)
    for (int i = 0; i < 1200; ++i) {
      auto const known =
          know_statement("SELECT " + std::to_string(i) + " FROM shop.orders" + (i % 2 ? " FOR UPDATE" : ""));
      ASSERT_EQ(known->lexed.kind, i % 2 ? statement_kind::locking_select : statement_kind::select);
    }
}

}  // namespace
