// One text for a key: of the write path, the capture triggers, the shard key trigger and the decoder, for all
// types that may be a key, whatever the session, the role and the database have set.
#include "lib/protocol/key_text.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <set>

#include <gmock/gmock.h>

#include "key_text_types.hpp"
#include "lib/pg/change_stream.hpp"
#include "lib/pg/replication_slot.hpp"
#include "lib/protocol/capture.hpp"
#include "lib/store/text_array.hpp"
#include "nodes.hpp"
#include "shardway/route/slot.hpp"

namespace {

using namespace shardway;
using namespace shardway_test;

template <std::size_t size>
std::string one_of(generator& random, std::array<char const*, size> const& values) {
  return values[static_cast<std::size_t>(below(random, size))];
}

// What an application, a role or a database may have set.
std::string random_settings(generator& random) {
  return "SET DateStyle = " + one_of(random, std::array{"ISO", "SQL", "Postgres", "German"}) + ", " +
         one_of(random, std::array{"MDY", "DMY", "YMD"}) + "; SET IntervalStyle = " +
         one_of(random, std::array{"postgres", "postgres_verbose", "sql_standard", "iso_8601"}) +
         "; SET TimeZone = '" +
         one_of(random,
                std::array{"UTC", "Asia/Kolkata", "America/St_Johns", "Pacific/Chatham", "Europe/London"}) +
         "'; SET bytea_output = " + one_of(random, std::array{"hex", "escape"}) +
         "; SET extra_float_digits = " + one_of(random, std::array{"-15", "-2", "0", "1", "3"}) +
         "; SET lc_monetary = '" + one_of(random, std::array{"C", "C.UTF-8", "POSIX"}) +
         "'; SET array_nulls = " + one_of(random, std::array{"on", "off"}) +
         "; SET standard_conforming_strings = " + one_of(random, std::array{"on", "off"}) +
         "; SET quote_all_identifiers = " + one_of(random, std::array{"on", "off"}) +
         "; SET xmloption = " + one_of(random, std::array{"content", "document"}) +
         "; SET client_encoding = " + one_of(random, std::array{"UTF8", "LATIN1", "WIN1252"}) + "; ";
}

// A text, and the key lock it takes, as the node computes it.
using texts = std::set<std::string>;

class key_text_on : public on_version {
 protected:
  static constexpr slot_id slot{7};
  static constexpr char pinned[] =
      "SET DateStyle = ISO; SET IntervalStyle = postgres; SET TimeZone = UTC; SET bytea_output = hex; SET "
      "extra_float_digits = 3; SET client_encoding = UTF8; SET standard_conforming_strings = on; ";

  void SetUp() override {
    seed_ = std::getenv("SHARDWAY_SEED") ? std::strtoull(std::getenv("SHARDWAY_SEED"), nullptr, 10)
                                         : 20261130 + static_cast<unsigned>(GetParam());
    random_.seed(seed_);
    types_ = tested_types();
    own_ = open();
    require(own_->simple(
        "SET client_min_messages = error; DROP SCHEMA IF EXISTS kt CASCADE; DROP SCHEMA IF EXISTS shardway "
        "CASCADE; CREATE SCHEMA kt; "
        "DO $$ DECLARE r text; BEGIN FOREACH r IN ARRAY '{app,engine,mirror}'::text[] LOOP IF NOT EXISTS "
        "(SELECT 1 FROM pg_roles WHERE rolname = r) THEN EXECUTE 'CREATE ROLE ' || r || ' LOGIN'; END IF; "
        "END "
        "LOOP; END $$; ALTER DATABASE postgres SET DateStyle = 'German'; ALTER DATABASE postgres SET "
        "TimeZone = "
        "'Asia/Kolkata'; ALTER DATABASE postgres SET bytea_output = 'escape'; ALTER DATABASE postgres SET "
        "array_nulls = off; " +
        std::string(own_types)));
    require(own_->simple(node_schema_sql(node_role::source, "source",
                                         {.name = "kt",
                                          .source = {},
                                          .shards = {},
                                          .application_role = "app",
                                          .engine_role = "engine",
                                          .mirror_role = "mirror"})));
    require(own_->simple(group_sql(node_role::source, "kt", epoch{1}, "app")));
    for (std::size_t i = 0; i < types_.size(); ++i) make_table(i);
    require(own_->simple("DROP PUBLICATION IF EXISTS kt; CREATE PUBLICATION kt FOR TABLE " + all_tables()));
    (void)drop_replication_slot(*own_, "kt");
    value_of(create_logical_replication_slot(*own_, "kt", 10s));
    stream_ = value_of(open_change_stream(
        where(), {.replication_slot = "kt", .publications = {"kt"}, .status_interval = 50ms}));
    session_ = open();
  }
  void TearDown() override {
    stream_.reset();
    for (int tries = 0; tries < 300 && !drop_replication_slot(*own_, "kt"); ++tries)
      std::this_thread::sleep_for(10ms);
    require(own_->simple("ALTER DATABASE postgres RESET ALL"));
  }

  std::string name_of(std::size_t i) const { return "kt.t" + std::to_string(i); }
  std::string all_tables() const {
    std::string list;
    for (std::size_t i = 0; i < types_.size(); ++i) list += (i ? ", " : "") + name_of(i);
    return list;
  }
  void make_table(std::size_t i) {
    table_state table;
    table.manifest.table = name_of(i);
    table.manifest.group = "kt";
    table.manifest.shard_key = {"customer_id"};
    table.manifest.key = {"k"};
    table.manifest.capture = capture_kind::trigger;
    table.columns = {{"k", types_[i].type, false, true, types_[i].under},
                     {"customer_id", "bigint", false, true},
                     {"n", "integer", false, false}};
    require(own_->simple("CREATE TABLE " + name_of(i) + " (k " + types_[i].type +
                         " PRIMARY KEY, customer_id bigint NOT NULL, n integer)"));
    require(own_->simple(capture_triggers_sql(table, node_role::source, {})));
    require(own_->simple(shard_key_trigger_sql(table, true)));
    tables_.push_back(std::move(table));
  }

  // All texts of one table that the outbox holds, and their key locks; the outbox is empty afterwards.
  std::map<std::string, texts> outbox_texts() {
    std::map<std::string, texts> found;
    auto const rows_found = value_of(own_->query(
        {"SELECT relation, key_values[1], shardway.key_lock_bucket(key_values) FROM shardway.outbox"}));
    for (std::size_t i = 0; i < rows_found.size(); ++i)
      found[std::string(rows_found.text(i, 0))].insert(std::string(rows_found.text(i, 1)) + " lock " +
                                                       std::string(rows_found.text(i, 2)));
    require(own_->simple("DELETE FROM shardway.outbox"));
    return found;
  }

  // What the decoder prints of the next transactions, with the lock that the stream would take.
  std::map<std::string, texts> decoded_texts(std::size_t commits) {
    std::map<std::string, texts> found;
    bool has_rows = false;
    auto const deadline = in(30s);
    while (commits > 0) {
      auto const event = value_of(stream_->next(deadline));
      if (!event) throw std::runtime_error("no event came");
      if (std::holds_alternative<commit_event>(*event) && std::exchange(has_rows, false)) --commits;
      auto const* row = std::get_if<row_event>(&*event);
      if (!row) continue;
      has_rows = true;
      auto const& tuple = row->after ? *row->after : *row->before;
      found["kt." + row->relation->name].insert(with_lock(tuple[0].text));
    }
    return found;
  }
  std::string with_lock(std::string const& key) {
    std::vector<text_value> const one{key};
    auto const lock = value_of(own_->query(
        {"SELECT shardway.key_lock_bucket($1::text[])", {text_array(std::span<text_value const>(one))}}));
    return key + " lock " + std::string(lock.text(0, 0));
  }

  void set(std::string const& settings) {
    settings_ = settings;
    require(session_->simple(pinned));
    require(session_->simple(settings));
  }

  // The write path: the frame around an INSERT.
  void insert_framed(std::size_t i, std::map<std::string, texts>& images) {
    auto const& type = types_[i];
    std::string values;
    for (int n = 0; n < type.values_max; ++n)
      values += (n ? ", (" : "(") + type.value(random_, n) + ", 1, " + std::to_string(n) + ")";
    captured_statement const user{
        .operation = captured_statement::operation_type::insert,
        .body = "INSERT INTO " + name_of(i) + " (k, customer_id, n) VALUES " + values,
        .alias = "t" + std::to_string(i),
        .returning = {},
        .parameter_count = 0};
    outbox_context const context{.id = write_id::make(), .first_ordinal = 1, .epoch = epoch{1}, .slot = slot};
    auto const answer = session_->query(
        {.sql = capture_sql(user, tables_[i], true), .parameters = capture_parameters(context, {"1"}, true)});
    ASSERT_TRUE(answer) << type.type << ": " << answer.error().to_string() << answer.error().server_detail()
                        << "\n"
                        << values;
    auto const captured = value_of(split_captured(answer.value(), user, tables_[i]));
    for (auto const& row : captured.changed) images[name_of(i)].insert(row.image[0].value_or("NULL"));
  }

  // The capture triggers, as in a transaction of a client that has passed the fence.
  void by_trigger(std::string const& sql, std::string const& shard_key) {
    outbox_context const context{.id = write_id::make(), .first_ordinal = 1, .epoch = epoch{1}, .slot = slot};
    std::vector<text_value> const key{shard_key};
    std::vector<statement> const all{
        {.sql = "BEGIN"},
        {.sql = "SELECT pg_catalog.set_config('shardway.writer', 'client/kt', true)"},
        capture_statement(trigger_duty::outbox, context, key),
        {.sql = sql},
        {.sql = "COMMIT"}};
    for (auto const& answer : value_of(session_->flush(all))) {
      ASSERT_TRUE(answer) << sql << ": " << answer.error().to_string() << answer.error().server_detail();
    }
  }

  void compare(std::string const& what, std::map<std::string, texts> const& ours,
               std::map<std::string, texts> const& decoded) {
    for (std::size_t i = 0; i < types_.size(); ++i) {
      auto const mine = ours.find(name_of(i)), theirs = decoded.find(name_of(i));
      ASSERT_TRUE(mine != ours.end() && theirs != decoded.end()) << what << " of " << types_[i].type;
      EXPECT_EQ(mine->second, theirs->second)
          << what << " of " << types_[i].type << " under " << settings_ << ", seed " << seed_;
      EXPECT_EQ(theirs->second.size(), static_cast<std::size_t>(types_[i].values_max)) << types_[i].type;
      compared_[what] += theirs->second.size();
    }
  }

  std::uint64_t seed_{};
  generator random_;
  std::vector<tested_type> types_;
  std::vector<table_state> tables_;
  std::unique_ptr<session> own_, session_;
  std::unique_ptr<change_stream> stream_;
  std::string settings_;
  std::map<std::string, std::size_t> compared_;
};
INSTANTIATE_TEST_SUITE_P(servers, key_text_on, ::testing::Values(13, 15, 18),
                         ::testing::PrintToStringParamName());

TEST_P(key_text_on, AP2_AP9_is_the_same_in_write_path_triggers_locks_and_decoder) {
  for (int round = 0; round < 4; ++round) {
    std::map<std::string, texts> images;
    set(random_settings(random_));
    for (std::size_t i = 0; i < types_.size(); ++i) ASSERT_NO_FATAL_FAILURE(insert_framed(i, images));
    auto const decoded = decoded_texts(types_.size());
    compare("the write path", outbox_texts(), decoded);
    if (settings_.find("client_encoding = UTF8") != std::string::npos) {
      std::map<std::string, texts> with_locks;
      for (auto const& [table, all] : images)
        for (auto const& one : all) with_locks[table].insert(with_lock(one));
      compare("the image", with_locks, decoded);
    }
    set(random_settings(random_));
    for (std::size_t i = 0; i < types_.size(); ++i)
      ASSERT_NO_FATAL_FAILURE(by_trigger("UPDATE " + name_of(i) + " SET n = n + 1", "1"));
    compare("a captured update", outbox_texts(), decoded);
    EXPECT_EQ(decoded_texts(types_.size()), decoded);
    set(random_settings(random_));
    for (std::size_t i = 0; i < types_.size(); ++i)
      require(session_->simple("UPDATE " + name_of(i) + " SET customer_id = 2"));
    compare("a change of the shard key", outbox_texts(), decoded);
    EXPECT_EQ(decoded_texts(types_.size()), decoded);
    set(random_settings(random_));
    for (std::size_t i = 0; i < types_.size(); ++i)
      ASSERT_NO_FATAL_FAILURE(by_trigger("DELETE FROM " + name_of(i), "2"));
    compare("a captured delete", outbox_texts(), decoded);
    EXPECT_EQ(decoded_texts(types_.size()), decoded) << "the old key in a delete";
  }
  std::size_t total = 0;
  for (auto const& [what, count] : compared_) total += count;
  std::printf("seed %llu: %zu types, %zu texts and key locks compared with the decoder's\n",
              static_cast<unsigned long long>(seed_), types_.size(), total);
  for (auto const& [what, count] : compared_) std::printf("  %s: %zu\n", what.c_str(), count);
}

// The property can fail: a cast is not the text of these types.
TEST_P(key_text_on, a_cast_is_another_text_than_the_decoders) {
  std::map<std::string, texts> images;
  set("SET DateStyle = SQL, DMY; SET TimeZone = 'Asia/Kolkata'; SET bytea_output = escape; ");
  std::map<std::string, texts> cast;
  for (std::size_t i = 0; i < types_.size(); ++i) {
    ASSERT_NO_FATAL_FAILURE(insert_framed(i, images));
    auto const found = value_of(session_->query({"SELECT k::text FROM " + name_of(i)}));
    for (std::size_t row = 0; row < found.size(); ++row)
      cast[types_[i].type].insert(with_lock(std::string(found.text(row, 0))));
  }
  auto const decoded = decoded_texts(types_.size());
  std::set<std::string> differ;
  for (std::size_t i = 0; i < types_.size(); ++i)
    if (cast[types_[i].type] != decoded.at(name_of(i))) differ.insert(types_[i].type);
  for (auto const* type : {"boolean", "character(12)", "inet", "bytea", "date", "timestamp with time zone",
                           "kt.truth", "kt.code"})
    EXPECT_TRUE(differ.contains(type)) << type;
}

// Each type of the server that may be a key has been tried; the others are refused, and listed.
TEST_P(key_text_on, types_that_are_not_tried_are_refused) {
  auto const found = value_of(own_->query(
      {"SELECT pg_catalog.format_type(t.oid, -1), EXISTS (SELECT 1 FROM pg_opclass o JOIN pg_am a ON a.oid = "
       "o.opcmethod WHERE a.amname = 'btree' AND o.opcdefault AND o.opcintype = t.oid) FROM pg_type t JOIN "
       "pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = 'pg_catalog' AND t.typtype IN ('b', 'r', "
       "'m') AND t.typelem = 0 ORDER BY 1"}));
  std::set<std::string> tried;
  for (auto const& type : types_) {
    auto plain = type.under.empty() ? type.type : type.under;
    if (auto const open = plain.find('('); open != std::string::npos)
      plain.erase(open, plain.find(')') - open + 1);
    tried.insert(plain);
  }
  std::string refused;
  for (std::size_t i = 0; i < found.size(); ++i) {
    std::string const type(found.text(i, 0));
    if (is_key_type(type))
      EXPECT_TRUE(tried.contains(type)) << type << " is accepted and was not tried";
    else if (found.boolean(i, 1) && !tried.contains(type))
      refused += (refused.empty() ? "" : ", ") + type;
  }
  std::printf("refused as keys: %s\n", refused.c_str());
  for (auto const* type : {"money", "interval", "real", "double precision", "numeric", "jsonb", "int4range"})
    EXPECT_FALSE(is_key_type(type)) << type;
  for (auto const* type : {"public.citext", "date[]", "bytea[]", "timestamp with time zone[]", "kt.mood[]",
                           "\"char\"", "bpchar", "interval(3)"})
    EXPECT_FALSE(is_key_type(type)) << type;
}

}  // namespace
