// The change stream and its replication slot on real servers.
#include "lib/pg/change_stream.hpp"

#include <algorithm>
#include <thread>

#include <gmock/gmock.h>

#include "lib/pg/replication_slot.hpp"
#include "nodes.hpp"
#include "shardway/testing/fault_proxy.hpp"

namespace {

using namespace shardway;
using namespace shardway_test;

class stream_on : public on_version {
 protected:
  void SetUp() override {
    own = open();
    require(own->simple(
        "DROP TABLE IF EXISTS public.moved; CREATE TABLE public.moved (id int PRIMARY KEY, note text); "
        "ALTER TABLE public.moved ALTER note SET STORAGE EXTERNAL; "
        "DROP PUBLICATION IF EXISTS moved; CREATE PUBLICATION moved FOR TABLE public.moved"));
    drop();
    start = value_of(create_logical_replication_slot(*own, "moved", 10s));
  }
  void TearDown() override { drop(); }

  void drop() {
    for (int tries = 0; tries < 300; ++tries) {
      if (drop_replication_slot(*own, "moved")) return;
      std::this_thread::sleep_for(10ms);
    }
    ADD_FAILURE() << "the replication slot stays in use";
  }
  replication_slot_state state() { return value_of(find_replication_slot(*own, "moved")).value(); }
  void wait_until_free() {
    for (int tries = 0; tries < 300 && state().is_active; ++tries) std::this_thread::sleep_for(10ms);
  }
  change_stream_options options() const {
    return {.replication_slot = "moved", .publications = {"moved"}, .status_interval = 50ms};
  }
  std::unique_ptr<change_stream> open_stream() { return value_of(open_change_stream(where(), options())); }

  // Reads up to the given number of commits. Leaves out keepalives and empty transactions, which servers
  // before 15 send.
  static std::vector<stream_event> read(change_stream& from, int commits) {
    std::vector<stream_event> events;
    auto const deadline = in(20s);
    while (commits > 0) {
      auto event = value_of(from.next(deadline));
      if (!event) throw std::runtime_error("no event came");
      if (std::holds_alternative<keepalive_event>(*event)) continue;
      if (std::holds_alternative<commit_event>(*event)) {
        if (std::holds_alternative<begin_event>(events.back())) {
          events.pop_back();
          continue;
        }
        --commits;
      }
      events.push_back(std::move(*event));
    }
    return events;
  }
  static std::vector<row_event> rows_in(std::vector<stream_event> const& events) {
    std::vector<row_event> found;
    for (auto const& event : events) {
      if (auto const* row = std::get_if<row_event>(&event)) found.push_back(*row);
    }
    return found;
  }
  static lsn end_of(std::vector<stream_event> const& events) {
    return std::get<commit_event>(events.back()).end_lsn;
  }

  std::unique_ptr<session> own;
  lsn start;
};
INSTANTIATE_TEST_SUITE_P(servers, stream_on, ::testing::Values(13, 15, 18),
                         ::testing::PrintToStringParamName());

TEST_P(stream_on, delivers_transactions_in_commit_order_with_their_rows) {
  auto stream = open_stream();
  require(own->simple("BEGIN; INSERT INTO public.moved VALUES (1, 'é'), (2, NULL); COMMIT"));
  require(own->simple(
      "BEGIN; UPDATE public.moved SET note = 'b' WHERE id = 1; UPDATE public.moved SET id = 3 WHERE id = 2; "
      "DELETE FROM public.moved WHERE id = 1; COMMIT"));
  auto const events = read(*stream, 2);
  EXPECT_TRUE(std::holds_alternative<begin_event>(events.front()));
  auto const rows = rows_in(events);
  ASSERT_EQ(rows.size(), 5u);
  EXPECT_EQ(rows[0].relation->schema + "." + rows[0].relation->name, "public.moved");
  EXPECT_EQ((*rows[0].after)[1].text, "é");
  EXPECT_EQ((*rows[1].after)[1].kind, stream_value::kind_type::null);
  EXPECT_FALSE(rows[2].before);
  EXPECT_TRUE(rows[3].before_is_key);
  EXPECT_EQ((*rows[3].before)[0].text, "2");
  EXPECT_EQ(rows[4].kind, row_event::kind_type::remove);
  EXPECT_EQ((*rows[4].before)[0].text, "1");
}

TEST_P(stream_on, an_unchanged_large_value_is_not_sent_again) {  // S8
  auto stream = open_stream();
  require(own->simple("INSERT INTO public.moved VALUES (1, repeat('x', 100000))"));
  require(own->simple("ALTER TABLE public.moved ADD touched int; UPDATE public.moved SET touched = 1"));
  auto const rows = rows_in(read(*stream, 2));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ((*rows[0].after)[1].text.size(), 100000u);
  EXPECT_EQ((*rows[1].after)[1].kind, stream_value::kind_type::unchanged);
  EXPECT_EQ(rows[1].relation->columns.size(), 3u) << "described anew";
}

TEST_P(stream_on, full_identity_sends_the_old_row_and_truncate_is_an_event) {
  require(own->simple("ALTER TABLE public.moved REPLICA IDENTITY FULL"));
  auto stream = open_stream();
  require(
      own->simple("INSERT INTO public.moved VALUES (1, 'old'); UPDATE public.moved SET note = 'new'; "
                  "TRUNCATE public.moved RESTART IDENTITY"));
  auto const events = read(*stream, 1);
  auto const rows = rows_in(events);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_FALSE(rows[1].before_is_key);
  EXPECT_EQ((*rows[1].before)[1].text, "old");
  auto const cut = std::find_if(events.begin(), events.end(),
                                [](auto const& e) { return std::holds_alternative<truncate_event>(e); });
  ASSERT_NE(cut, events.end());
  EXPECT_TRUE(std::get<truncate_event>(*cut).restart_identity);
}

TEST_P(stream_on, logical_messages_are_asked_for_where_the_server_has_them) {
  auto wanted = options();
  wanted.messages = true;
  auto opened = open_change_stream(where(), wanted);
  if (GetParam() < 14) {
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code(), error_code::invalid_argument);
    return;
  }
  require(opened);
  require(own->simple("SELECT pg_logical_emit_message(true, 'shardway', 'mark')"));
  auto const events = read(*opened.value(), 1);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(std::get<message_event>(events[1]).content, "mark");
}

TEST_P(stream_on, values_do_not_depend_on_the_roles_settings) {  // V4
  require(own->simple(
      "ALTER ROLE postgres SET DateStyle = 'German'; ALTER ROLE postgres SET TimeZone = 'Asia/Tokyo'; "
      "ALTER ROLE postgres SET bytea_output = 'escape'"));
  require(own->simple("ALTER TABLE public.moved ADD at timestamptz, ADD raw bytea"));
  auto stream = open_stream();
  require(own->simple("INSERT INTO public.moved VALUES (1, '', '2024-02-03 04:05:06+00', '\\x00ff')"));
  auto const rows = rows_in(read(*stream, 1));
  require(own->simple("ALTER ROLE postgres RESET ALL"));
  EXPECT_EQ((*rows.at(0).after)[2].text, "2024-02-03 04:05:06+00");
  EXPECT_EQ((*rows.at(0).after)[3].text, "\\x00ff");
}

TEST_P(stream_on, only_what_was_confirmed_is_dropped) {
  lsn first_end;
  {
    auto stream = open_stream();
    require(own->simple("INSERT INTO public.moved VALUES (1, 'first')"));
    first_end = end_of(read(*stream, 1));
    require(own->simple("INSERT INTO public.moved VALUES (2, 'second')"));
    auto const second = read(*stream, 1);
    require(stream->next(in(200ms)));
    EXPECT_EQ(state().confirmed_flush, start) << "nothing was confirmed";
    require(stream->confirm(first_end));
    require(stream->confirm(start));  // never goes back
    for (int tries = 0; tries < 100 && state().confirmed_flush != first_end; ++tries)
      require(stream->next(in(20ms)));
    EXPECT_EQ(state().confirmed_flush, first_end);
    EXPECT_LT(first_end, end_of(second));
  }
  wait_until_free();
  auto const again = rows_in(read(*open_stream(), 1));
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ((*again[0].after)[1].text, "second");
}

TEST_P(stream_on, a_start_before_what_was_confirmed_is_a_gap) {  // S7
  {
    auto stream = open_stream();
    require(own->simple("INSERT INTO public.moved VALUES (1, 'gone')"));
    auto const end = end_of(read(*stream, 1));
    require(stream->confirm(end));
    for (int tries = 0; tries < 100 && state().confirmed_flush != end; ++tries)
      require(stream->next(in(20ms)));
  }
  wait_until_free();
  auto wanted = options();
  wanted.start = start;
  auto const opened = open_change_stream(where(), wanted);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), error_code::stream_broken);
}

TEST_P(stream_on, answers_the_servers_questions_while_idle) {
  require(own->simple("ALTER SYSTEM SET wal_sender_timeout = '1s'"));
  require(node().reload());
  auto wanted = options();
  wanted.status_interval = 1h;  // then the client answers only when the server asks
  auto stream = value_of(open_change_stream(where(), wanted));
  auto const until = in(3s);
  while (std::chrono::steady_clock::now() < until) require(stream->next(until));
  require(own->simple("INSERT INTO public.moved VALUES (1, 'still here')"));
  EXPECT_EQ(rows_in(read(*stream, 1)).size(), 1u);
  require(own->simple("ALTER SYSTEM RESET wal_sender_timeout"));
  require(node().reload());
}

TEST_P(stream_on, the_error_says_why_a_stream_cannot_be_opened) {  // S3
  auto const code = [&](change_stream_options const& wanted) {
    return open_change_stream(where(), wanted).error().code();
  };
  auto wanted = options();
  wanted.replication_slot = "absent";
  EXPECT_EQ(code(wanted), error_code::stream_broken);
  wanted = options();
  wanted.publications = {"absent"};
  EXPECT_EQ(code(wanted), error_code::precondition_failed);
  wanted.publications.clear();
  EXPECT_EQ(code(wanted), error_code::invalid_argument);
  auto const first = open_stream();
  EXPECT_EQ(code(options()), error_code::precondition_failed) << "in use";
  EXPECT_EQ(drop_replication_slot(*own, "moved").error().code(), error_code::precondition_failed);
}

TEST_P(stream_on, a_lost_replication_slot_is_broken_for_good) {  // S2
  require(own->simple("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'"));
  require(node().reload());
  for (int i = 0; i < 40 && !state().is_lost(); ++i) {
    require(
        own->simple("INSERT INTO public.moved SELECT g, repeat('x', 500) FROM generate_series(1, 20000) g; "
                    "TRUNCATE public.moved"));
    require(own->simple("SELECT pg_switch_wal()"));
    require(own->simple("CHECKPOINT"));
  }
  require(own->simple("ALTER SYSTEM RESET max_slot_wal_keep_size"));
  require(node().reload());
  ASSERT_TRUE(state().is_lost());
  auto const opened = open_change_stream(where(), options());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), error_code::stream_broken);
}

TEST_P(stream_on, creation_waits_for_old_transactions_until_its_timeout) {  // M6
  auto old = open();
  require(old->simple("BEGIN; INSERT INTO public.moved VALUES (1, 'open')"));
  auto const late = create_logical_replication_slot(*own, "late", 200ms);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), error_code::deadline_exceeded);
  EXPECT_FALSE(own->in_transaction());
  EXPECT_FALSE(value_of(find_replication_slot(*own, "late")));
  EXPECT_EQ(create_logical_replication_slot(*own, "moved", 5s).error().code(),
            error_code::precondition_failed)
      << "the name is taken";
  EXPECT_FALSE(value_of(drop_replication_slot(*own, "late")));
}

TEST_P(stream_on, a_cut_at_any_byte_loses_and_invents_nothing) {
  require(own->simple("INSERT INTO public.moved SELECT g, 'row ' || g FROM generate_series(1, 20) g"));
  auto const front = value_of(shardway::testing::fault_proxy::open(node().port()));
  auto through = where();
  through.conninfo = front->conninfo();
  for (std::uint64_t bytes = 1; bytes < 1500; bytes += 97) {
    auto stream = value_of(open_change_stream(through, options()));
    require(front->arm({.direction = shardway::testing::towards::client, .after_bytes = bytes}));
    require(own->simple("UPDATE public.moved SET note = note || '.'"));
    int row = 0;
    for (;;) {
      auto event = stream->next(in(20s));
      if (!event) {
        EXPECT_EQ(event.error().code(), error_code::connection_lost);
        break;
      }
      ASSERT_TRUE(event.value()) << "neither an event nor the cut after " << bytes;
      if (std::holds_alternative<row_event>(*event.value())) ++row;
    }
    front->disarm();
    EXPECT_TRUE(!stream->next(in(1s)) && !stream->confirm(start)) << "a broken stream stays broken";
    stream.reset();
    wait_until_free();
  }
  EXPECT_EQ(rows_in(read(*open_stream(), 1)).size(), 20u) << "nothing was confirmed: all of it comes again";
}

}  // namespace
