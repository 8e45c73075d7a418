// Keys that several nodes claim, each for a slot that it has authority for: a repair leaves them alone.
#include "shardway/migrate/verify/reconcile.hpp"
#include "verify_fixture.hpp"

namespace {

using namespace shardway_test;

class claimed_keys : public verify_fixture {
 protected:
  /// Half of the first shard's slots have moved there. A is a customer of a slot that the source kept, B of
  /// one that moved.
  void SetUp() override {
    verify_fixture::SetUp();
    add_table("shop.codes", "code text PRIMARY KEY, customer_id bigint NOT NULL, note text", {"code"},
              {"customer_id"});
    slot_range const moved{slot_id{0}, slot_id{1023}};
    flip(*source_, moved, epoch{2}, false);
    flip(shard(0), moved, epoch{3}, true);
    now_.groups[0].stage = stage::sharded;
    now_.groups[0].authority = {{moved, shard_id{0}, epoch{3}, {}},
                                {{slot_id{1024}, slot_id{4095}}, std::nullopt, epoch{1}, {}}};
    a_ = customer("BETWEEN 1024 AND 2047");
    b_ = customer("< 1024");
  }
  std::string customer(std::string const& slots) {
    return one(*source_, "SELECT n FROM generate_series(1::bigint, 9999) AS n WHERE shardway.slot_of(n) " +
                             slots + " LIMIT 1");
  }
  void insert(session& node, std::string const& code, std::string const& customer, std::string const& note) {
    run(node, "INSERT INTO shop.codes VALUES ('" + code + "', " + customer + ", '" + note + "')");
  }
  static std::string notes(session& node) {
    return one(node,
               "SELECT coalesce(string_agg(code || ' ' || note, ',' ORDER BY code), '') FROM shop.codes");
  }
  static std::string salvaged(session& node) {
    return one(node,
               "SELECT coalesce(string_agg((image ->> 'note') || ' ' || reason, ',' ORDER BY id), '') FROM "
               "shardway.salvaged");
  }

  std::vector<repair_report> repair(std::vector<table_verdict> const& found) {
    return value_of(reconcile_group(nodes(), now_, "sales", found, 0, options_));
  }
  /// "kind node", sorted.
  static std::vector<std::string> told(std::vector<repair_report> const& repairs) {
    std::vector<std::string> out;
    for (auto const& one : repairs) out.push_back(one.kind + " " + one.node);
    std::sort(out.begin(), out.end());
    return out;
  }
  void expect_equal() {
    for (auto const& found : verify())
      EXPECT_EQ(found.found, verdict::equal) << found.relation << ::testing::PrintToString(named(found));
  }

  std::string a_, b_;
};

TEST_F(claimed_keys, are_left_alone_shown_and_kept) {  // AP10
  insert(*source_, "N0", a_, "of A");
  insert(shard(0), "N0", b_, "of B");
  auto const found = verify();
  EXPECT_EQ(found.at(0).found, verdict::different);
  EXPECT_EQ(named(found.at(0)), (std::vector<std::string>{"conflict shard1 N0", "conflict source N0"}));
  for (int pass = 0; pass < 2; ++pass)
    EXPECT_EQ(told(repair(found)), (std::vector<std::string>{"conflict shard1", "conflict source"}));
  EXPECT_EQ(notes(*source_), "N0 of A");
  EXPECT_EQ(notes(shard(0)), "N0 of B");
  EXPECT_EQ(salvaged(*source_), "of A claimed by several nodes") << "once, however often it is run";
  EXPECT_EQ(salvaged(shard(0)), "of B claimed by several nodes");
  for (auto* node : {source_.get(), &shard(0)})
    EXPECT_EQ(one(*node,
                  "SELECT stream || ' ' || (key_digest = encode(sha256('{\"N0\"}'), 'hex'))::text FROM "
                  "shardway.conflict"),
              "reconcile true");
  EXPECT_EQ(one(*source_,
                "SELECT count(*) FROM information_schema.role_table_grants WHERE table_schema = 'shardway' "
                "AND table_name = 'salvaged' AND privilege_type = 'SELECT' AND grantee IN ('app', "
                "'mirror', 'PUBLIC')"),
            "0");
}

// Both rows are stale copies of rows that their own side has deleted: each is taken away by its own
// authority, and neither is put in the other's place.
TEST_F(claimed_keys, of_stale_copies_never_bring_a_row_back_on_its_own_side) {  // AP10
  insert(*source_, "N0", b_, "of B");
  insert(shard(0), "N0", a_, "of A");
  EXPECT_EQ(told(repair(verify())), (std::vector<std::string>{"delete shard1", "delete source"}));
  EXPECT_EQ(notes(*source_) + notes(shard(0)), "");
  EXPECT_EQ(salvaged(*source_), "of B deleted by a repair");
  EXPECT_EQ(salvaged(shard(0)), "of A deleted by a repair");
  expect_equal();
}

TEST_F(claimed_keys, images_that_a_repair_overwrites_are_kept) {  // AP10
  insert(*source_, "A", a_, "right");
  insert(shard(0), "A", a_, "stale");
  insert(*source_, "B", b_, "stale");
  insert(shard(0), "B", b_, "right");
  EXPECT_EQ(told(repair(verify())), (std::vector<std::string>{"update shard1", "update source"}));
  EXPECT_EQ(salvaged(*source_), "stale overwritten by a repair");
  EXPECT_EQ(salvaged(shard(0)), "stale overwritten by a repair");
  expect_equal();
}

// While a range is closed on both sides, nobody can say that a row of it is gone.
TEST_F(claimed_keys, nothing_is_deleted_while_nobody_has_authority) {  // AP10
  insert(shard(0), "A", a_, "of A");
  auto const found = verify();
  flip(*source_, {slot_id{1024}, slot_id{2047}}, epoch{4}, false);
  EXPECT_TRUE(repair(found).empty());
  EXPECT_EQ(notes(shard(0)), "A of A");
  flip(*source_, {slot_id{1024}, slot_id{2047}}, epoch{5}, true);
  EXPECT_EQ(told(repair(found)), (std::vector<std::string>{"delete shard1"}));
}

}  // namespace
