// Writes, their batches and their second half without a server: each step of each conversation fails in turn,
// and the state that is left has to be one that the caller was told of.
#include <gtest/gtest.h>

#include "lib/write/dual_writer.hpp"
#include "lib/write/fenced_batch.hpp"
#include "lib/write/fenced_write.hpp"
#include "write_model.hpp"

namespace {

using namespace shardway_test;

// An acknowledged write is there once; one that failed is not; one in doubt may be, once.
void expect_outcome_holds(std::vector<std::string> const& notes, std::string const& note,
                          error const* failed) {
  auto const there = fleet::count(notes, note);
  if (!failed)
    EXPECT_EQ(there, 1) << note << " was acknowledged";
  else if (failed->code() == error_code::in_doubt)
    EXPECT_LE(there, 1) << note << " is in doubt";
  else
    EXPECT_EQ(there, 0) << note << " failed: " << failed->to_string();
}

// The shards have nothing that the source lacks, and nothing twice; the outbox has a row a change.
void expect_consistent(fleet const& all, bool has_outbox) {
  auto const source = all.servers[0]->committed();
  EXPECT_EQ(source.write_ids.size(), has_outbox ? source.notes.size() : 0);
  for (std::size_t i = 1; i < all.servers.size(); ++i)
    for (auto const& note : all.servers[i]->committed().notes) {
      if (has_outbox) {
        EXPECT_EQ(fleet::count(source.notes, note), 1) << note;
      }
      EXPECT_EQ(fleet::count(all.servers[i]->committed().notes, note), 1) << note;
    }
  EXPECT_EQ(all.said.problems(), std::vector<std::string>{});
}

std::vector<std::string> const sqlstates{"XX000", "53200", "40001", "57014", "57P01", "23505", "SW001"};

struct variant {
  stage at{};
  std::optional<shard_id> authority{};
  bool finds_out{true};
  std::string operation{};
  isolation_level isolation{};
  bool is_dual() const { return at == stage::dual_writing && !authority; }
  std::size_t node() const { return authority ? 1 : 0; }
};

std::vector<variant> variants() {
  std::vector<variant> all;
  for (bool const finds_out : {true, false})
    for (auto const& operation : {"", "op-1"})
      for (auto const isolation : {isolation_level::read_committed, isolation_level::serializable}) {
        all.push_back({stage::observing, {}, finds_out, "", isolation});
        all.push_back({stage::replicating, {}, finds_out, operation, isolation});
        all.push_back({stage::dual_writing, {}, finds_out, operation, isolation});
        all.push_back({stage::sharded, shard_id{0}, finds_out, operation, isolation});
      }
  return all;
}

std::string label(variant const& one) {
  return std::string(shardway::name(one.at)) + (one.authority ? " on a shard" : "") +
         (one.finds_out ? "" : ", never found out") + (one.operation.empty() ? "" : ", operation") +
         (one.isolation == isolation_level::read_committed ? "" : ", serializable");
}

void expect_receipt(fleet const& all, variant const& one, write_receipt const& receipt, std::int64_t rows) {
  if (!receipt.answer_lost && !receipt.replayed) {
    EXPECT_EQ(receipt.affected, rows);
  }
  if (receipt.dual_write == dual_write_state::applied) {
    EXPECT_TRUE(one.is_dual());
    EXPECT_EQ(all.on_shards(), rows) << "the receipt calls the copy applied";
  }
  EXPECT_EQ(one.is_dual(), receipt.dual_write != dual_write_state::none);
}

// What every write has to keep, whatever failed. A shard never decides the fate of a write that the source
// took.
std::map<std::string, std::size_t> judged(fleet const& all, variant const& one,
                                          planned_failure const& failing, error const* failed) {
  if (failing.number == 0) {
    EXPECT_FALSE(failed) << failed->to_string();
  }
  if (one.is_dual() && one.operation.empty() && failing.node == "shard0") {
    EXPECT_FALSE(failed) << "the copy decided: " << failed->to_string();
  }
  expect_consistent(all, one.is_dual());
  if (!testing::Test::HasFailure()) return all.said.counts();
  ADD_FAILURE() << label(one) << "; " << describe(failing) << describe(all.said);
  return {};
}

error const* error_of(auto const& outcome) { return outcome ? nullptr : &outcome.error(); }

template <class Once>
void fail_each_step_of(std::vector<variant> const& all, Once const& once) {
  std::size_t runs = 0;
  for (auto const& one : all) {
    runs += fail_each_step(sqlstates, [&](planned_failure const& failing) { return once(one, failing); });
    if (testing::Test::HasFailure()) return;
  }
  testing::Test::RecordProperty("runs", static_cast<int>(runs));
}

// ---- one-shot writes and their second half

std::map<std::string, std::size_t> write_once(variant const& one, planned_failure const& failing) {
  fleet all{failing, generation_at(one.at, one.authority), one.finds_out};
  all.all_notes = {"first"};
  dual_writer second{all, nullptr, 100};
  auto const customer = fleet::key_on(shard_id{0});
  shard_key const key{customer};
  auto const written =
      execute_fenced(all, second, {"shop.orders", key}, insert_sql, {"1", std::to_string(customer), "first"},
                     {.isolation = one.isolation, .operation_id = one.operation});
  expect_outcome_holds(all.servers[one.node()]->committed().notes, "first", error_of(written));
  if (written) expect_receipt(all, one, written.value(), 1);
  // One write in 256 also sweeps old records: a step that only the clean run had fails in no other.
  if (!one.operation.empty() && all.said.has_failed()) {
    auto const again = execute_fenced(all, second, {"shop.orders", key}, insert_sql,
                                      {"1", std::to_string(customer), "first"},
                                      {.isolation = one.isolation, .operation_id = one.operation});
    EXPECT_TRUE(again) << "an operation may be repeated: " << again.error().to_string();
    EXPECT_EQ(fleet::count(all.servers[one.node()]->committed().notes, "first"), 1)
        << "the operation, repeated";
  }
  return judged(all, one, failing, error_of(written));
}

TEST(one_shot_write, tells_what_became_of_it_whichever_step_fails) {
  fail_each_step_of(variants(), write_once);
}

// ---- transactions

// A function that does not look at what its statements say: the library must not commit for it.
result<> careless(write_transaction& in, std::int64_t customer, shard_key const& other,
                  std::int64_t other_customer) {
  auto const given = [](char const* id, std::int64_t who, char const* note) {
    return std::vector<text_value>{id, std::to_string(who), note};
  };
  (void)in.execute("shop.orders", insert_sql, given("1", customer, "first"));
  (void)in.savepoint("before_third");
  (void)in.execute("shop.orders", insert_sql, given("3", customer, "third"));
  if (auto back = in.rollback_to("before_third"); !back) return back;
  (void)in.query("SELECT count(*) FROM shop.orders", {});
  (void)in.execute_for(other, "shop.orders", insert_sql, given("2", other_customer, "second"));
  return success();
}

result<> careful(write_transaction& in, std::int64_t customer, shard_key const& other,
                 std::int64_t other_customer) {
  auto const given = [](char const* id, std::int64_t who, char const* note) {
    return std::vector<text_value>{id, std::to_string(who), note};
  };
  BOOST_OUTCOME_TRYV(in.execute("shop.orders", insert_sql, given("1", customer, "first")));
  BOOST_OUTCOME_TRYV(in.savepoint("before_third"));
  auto const tried = in.execute("shop.orders", insert_sql, given("3", customer, "third"));
  if (!tried && needs_reconnect(tried.error().code())) return tried.error();
  BOOST_OUTCOME_TRYV(in.rollback_to("before_third"));
  BOOST_OUTCOME_TRYV(in.query("SELECT count(*) FROM shop.orders", {}));
  BOOST_OUTCOME_TRYV(in.execute_for(other, "shop.orders", insert_sql, given("2", other_customer, "second")));
  return success();
}

template <class Body>
auto transaction_with(Body const& body) {
  return [&body](variant const& one, planned_failure const& failing) {
    fleet all{failing, generation_at(one.at, one.authority), one.finds_out};
    all.all_notes = {"first", "second", "third"};
    dual_writer second{all, nullptr, 100};
    auto const customer = fleet::key_on(shard_id{0});
    // On the source the transaction may reach over shards.
    auto const other_customer = one.authority ? customer : fleet::key_on(shard_id{1});
    shard_key const key{customer}, other{other_customer};
    auto const written =
        run_fenced(all, second, {"shop.orders", key},
                   [&](write_transaction& in) { return body(in, customer, other, other_customer); },
                   {.isolation = one.isolation, .operation_id = one.operation});
    auto const notes = all.servers[one.node()]->committed().notes;
    expect_outcome_holds(notes, "first", error_of(written));
    EXPECT_EQ(fleet::count(notes, "second"), fleet::count(notes, "first")) << "half a transaction";
    EXPECT_EQ(fleet::count(notes, "third"), 0) << "its savepoint was rolled back";
    if (written) expect_receipt(all, one, written.value(), 2);
    // AP1: a query may have set synchronous_commit off after the outbox row was written.
    EXPECT_TRUE(!written || !one.is_dual() || all.servers[0]->committed().is_durable);
    return judged(all, one, failing, error_of(written));
  };
}

TEST(transaction, is_done_once_as_a_whole_or_not_at_all_whichever_step_fails) {
  fail_each_step_of(variants(), transaction_with(careful));
}

TEST(transaction, of_a_careless_function_is_not_committed_after_a_failure) {
  fail_each_step_of(variants(), transaction_with(careless));
}

// ---- batches

batch_part const& failed_part(batch_receipt const& receipt) {
  return *std::find_if(receipt.parts.begin(), receipt.parts.end(), [](auto const& part) { return part.why; });
}

std::map<std::string, std::size_t> batch_once(variant const& one, planned_failure const& failing) {
  fleet all{failing, generation_at(one.at, one.authority), one.finds_out};
  all.all_notes = {"first", "second", "third"};
  dual_writer second{all, nullptr, 100};
  std::vector<batch_row> given;
  for (std::size_t i = 0; i < 3; ++i) {
    auto const customer = fleet::key_on(shard_id{static_cast<std::uint16_t>(i == 2 ? 1 : 0)});
    given.push_back({shard_key(customer), {std::to_string(i), std::to_string(customer), all.all_notes[i]}});
  }
  auto const written =
      execute_batch_fenced(all, second, "shop.orders", insert_sql, given, {.isolation = one.isolation});
  if (!written) {
    for (auto const& note : all.all_notes)
      for (auto const& node : all.servers)
        expect_outcome_holds(node->committed().notes, note, &written.error());
    return judged(all, one, failing, &written.error());
  }
  for (auto const& part : written.value().parts)
    for (auto const row : part.rows) {
      auto const node = one.authority && row == 2 ? 2 : one.node();
      expect_outcome_holds(all.servers[node]->committed().notes, all.all_notes[row],
                           part.why ? &*part.why : nullptr);
      EXPECT_EQ(part.state == part_state::committed, !part.why);
    }
  EXPECT_EQ(written.value().parts.size(), one.authority ? 2U : 1U);
  return judged(all, one, failing,
                written.value().all_committed() ? nullptr : &*failed_part(written.value()).why);
}

TEST(batch, tells_what_became_of_each_part_whichever_step_fails) {
  auto all = variants();
  std::erase_if(all, [](variant const& one) { return !one.operation.empty(); });
  fail_each_step_of(all, batch_once);
}

}  // namespace
