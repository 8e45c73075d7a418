#include "lib/pg/pgoutput.hpp"

#include <gtest/gtest.h>

#include "bytes.hpp"

namespace shardway {
namespace {

using value_kind = stream_value::kind_type;

bytes_builder relation(char identity = 'd') {
  bytes_builder made;
  made.letter('R').n4(42).c_string("shop").c_string("orders").letter(identity).n2(2);
  made.n1(1).c_string("id").n4(20).n4(0xFFFFFFFF);
  return made.n1(0).c_string("note").n4(1043).n4(24);
}

bytes_builder insert() {
  return bytes_builder{}.letter('I').n4(42).letter('N').n2(2).letter('t').sized("7").letter('n');
}

template <class Event>
Event decoded(pgoutput_decoder& decoder, bytes_builder const& message) {
  auto event = decoder.decode(message.view());
  EXPECT_TRUE(event) << event.error().message();
  EXPECT_TRUE(event.value() && std::holds_alternative<Event>(*event.value()));
  return std::get<Event>(*event.value());
}

pgoutput_decoder knowing(bytes_builder const& described = relation()) {
  pgoutput_decoder decoder;
  decoded<relation_event>(decoder, described);
  return decoder;
}

TEST(Pgoutput, BeginAndCommitCarryTheirPositions) {
  pgoutput_decoder decoder;
  auto const begin =
      decoded<begin_event>(decoder, bytes_builder{}.letter('B').n8(0x1122334455667788).n8(5).n4(777));
  EXPECT_EQ(begin.final_lsn, lsn{0x1122334455667788});
  EXPECT_EQ(begin.xid, 777U);
  EXPECT_EQ(begin.commit_time, 5);
  auto const commit = decoded<commit_event>(decoder, bytes_builder{}.letter('C').n1(0).n8(16).n8(24).n8(5));
  EXPECT_EQ(commit.commit_lsn, lsn{16});
  EXPECT_EQ(commit.end_lsn, lsn{24});
}

TEST(Pgoutput, RelationIsDescribedOnceAndShared) {
  auto decoder = knowing();
  auto const first = decoded<row_event>(decoder, insert()).relation;
  EXPECT_EQ(first->schema, "shop");
  EXPECT_EQ(first->name, "orders");
  ASSERT_EQ(first->columns.size(), 2U);
  EXPECT_TRUE(first->columns[0].in_replica_identity);
  EXPECT_EQ(first->columns[1], (stream_relation::column{"note", 1043, 24, false}));
  EXPECT_EQ(decoded<relation_event>(decoder, relation()).relation, first);
  EXPECT_NE(decoded<relation_event>(decoder, relation('f')).relation, first);
}

TEST(Pgoutput, EmptySchemaIsTheCatalog) {
  pgoutput_decoder decoder;
  auto const event = decoded<relation_event>(
      decoder, bytes_builder{}.letter('R').n4(1).c_string("").c_string("x").letter('d').n2(0));
  EXPECT_EQ(event.relation->schema, "pg_catalog");
}

TEST(Pgoutput, InsertKeepsNullApartFromText) {
  auto decoder = knowing();
  auto const row = decoded<row_event>(decoder, insert());
  EXPECT_EQ(row.kind, row_event::kind_type::insert);
  EXPECT_FALSE(row.before);
  EXPECT_EQ(*row.after, (stream_tuple{{value_kind::text, "7"}, {value_kind::null, ""}}));
}

TEST(Pgoutput, UpdateWithoutOldTupleMarksUnchangedToast) {
  auto decoder = knowing();
  auto const row = decoded<row_event>(
      decoder, bytes_builder{}.letter('U').n4(42).letter('N').n2(2).letter('t').sized("7").letter('u'));
  EXPECT_FALSE(row.before);
  EXPECT_EQ((*row.after)[1].kind, value_kind::unchanged);
}

TEST(Pgoutput, UpdateTellsAKeyFromAWholeOldRow) {
  auto decoder = knowing();
  for (char const kind : {'K', 'O'}) {
    bytes_builder message;
    message.letter('U').n4(42).letter(kind).n2(2).letter('t').sized("6").letter('n');
    message.letter('N').n2(2).letter('t').sized("7").letter('t').sized("");
    auto const row = decoded<row_event>(decoder, message);
    EXPECT_EQ(row.before_is_key, kind == 'K');
    EXPECT_EQ((*row.before)[0].text, "6");
    EXPECT_EQ((*row.after)[1], (stream_value{value_kind::text, ""}));
  }
}

TEST(Pgoutput, DeleteHasOnlyAnOldTuple) {
  auto decoder = knowing();
  auto const row = decoded<row_event>(
      decoder, bytes_builder{}.letter('D').n4(42).letter('K').n2(2).letter('t').sized("6").letter('n'));
  EXPECT_EQ(row.kind, row_event::kind_type::remove);
  EXPECT_TRUE(row.before && row.before_is_key);
  EXPECT_FALSE(row.after);
}

TEST(Pgoutput, TruncateNamesItsTablesAndFlags) {
  auto decoder = knowing();
  auto const event = decoded<truncate_event>(decoder, bytes_builder{}.letter('T').n4(1).n1(2).n4(42));
  ASSERT_EQ(event.relations.size(), 1U);
  EXPECT_EQ(event.relations[0]->name, "orders");
  EXPECT_TRUE(event.restart_identity);
  EXPECT_FALSE(event.cascade);
}

TEST(Pgoutput, LogicalMessage) {
  pgoutput_decoder decoder;
  bytes_builder message;
  message.letter('M').n1(1).n8(99).c_string("shardway").sized(std::string_view{"a\0b", 3});
  auto const event = decoded<message_event>(decoder, message);
  EXPECT_TRUE(event.transactional);
  EXPECT_EQ(event.position, lsn{99});
  EXPECT_EQ(event.prefix, "shardway");
  EXPECT_EQ(event.content, (std::string{"a\0b", 3}));
}

TEST(Pgoutput, TypeAndOriginSayNothing) {
  pgoutput_decoder decoder;
  for (auto const& message : {bytes_builder{}.letter('Y').n4(1).c_string("shop").c_string("mood"),
                              bytes_builder{}.letter('O').n8(1).c_string("o")}) {
    auto const event = decoder.decode(message.view());
    ASSERT_TRUE(event);
    EXPECT_FALSE(event.value());
  }
}

std::vector<bytes_builder> every_message() {
  std::vector<bytes_builder> all{relation(), insert()};
  all.push_back(bytes_builder{}.letter('B').n8(1).n8(2).n4(3));
  all.push_back(bytes_builder{}.letter('C').n1(0).n8(1).n8(2).n8(3));
  all.push_back(bytes_builder{}
                    .letter('U')
                    .n4(42)
                    .letter('O')
                    .n2(2)
                    .letter('t')
                    .sized("6")
                    .letter('n')
                    .letter('N')
                    .n2(2)
                    .letter('n')
                    .letter('u'));
  all.push_back(bytes_builder{}.letter('D').n4(42).letter('O').n2(2).letter('t').sized("6").letter('n'));
  all.push_back(bytes_builder{}.letter('T').n4(1).n1(0).n4(42));
  all.push_back(bytes_builder{}.letter('M').n1(0).n8(1).c_string("p").sized("content"));
  all.push_back(bytes_builder{}.letter('Y').n4(1).c_string("s").c_string("t"));
  all.push_back(bytes_builder{}.letter('O').n8(1).c_string("o"));
  return all;
}

TEST(Pgoutput, EveryMessageCutAnywhereIsRefused) {
  for (auto const& message : every_message()) {
    auto decoder = knowing();
    for (std::size_t size = 0; size < message.view().size(); ++size) {
      auto const event = decoder.decode(message.view().first(size));
      ASSERT_FALSE(event) << message.text()[0] << " " << size;
      EXPECT_EQ(event.error().code(), error_code::protocol_violation);
    }
    EXPECT_TRUE(decoder.decode(message.view())) << message.text()[0];
  }
}

TEST(Pgoutput, EveryMessageWithAByteLeftOverIsRefused) {
  for (auto message : every_message()) {
    auto decoder = knowing();
    EXPECT_FALSE(decoder.decode(message.n1(0).view())) << message.text()[0];
  }
}

TEST(Pgoutput, HugeAnnouncedLengthsAreRefused) {
  auto decoder = knowing();
  EXPECT_FALSE(
      decoder.decode(bytes_builder{}.letter('I').n4(42).letter('N').n2(2).letter('t').n4(0xFFFFFFFF).view()));
  EXPECT_FALSE(decoder.decode(bytes_builder{}.letter('T').n4(0xFFFFFFFF).n1(0).view()));
  EXPECT_FALSE(decoder.decode(bytes_builder{}.letter('M').n1(0).n8(1).c_string("p").n4(0x7FFFFFFF).view()));
}

TEST(Pgoutput, ContradictionsAreRefused) {
  auto decoder = knowing();
  std::vector<bytes_builder> messages{
      bytes_builder{}.letter('I').n4(43).letter('N').n2(0),                          // not described
      bytes_builder{}.letter('I').n4(42).letter('N').n2(1).letter('n'),              // column count
      bytes_builder{}.letter('I').n4(42).letter('K').n2(2).letter('n').letter('n'),  // insert of an old row
      bytes_builder{}.letter('D').n4(42).letter('N').n2(2).letter('n').letter('n'),  // delete of a new row
      bytes_builder{}.letter('I').n4(42).letter('N').n2(2).letter('b').sized("7").letter('n'),  // binary
      bytes_builder{}.letter('T').n4(1).n1(0).n4(43),  // not described
      bytes_builder{}.letter('S').n4(1).n1(1),         // of protocol 2
  };
  for (auto const& message : messages) EXPECT_FALSE(decoder.decode(message.view())) << message.text();
}

TEST(Pgoutput, ErrorsHoldNoValues) {
  auto decoder = knowing();
  auto const event =
      decoder.decode(bytes_builder{}.letter('I').n4(42).letter('N').n2(2).letter('t').sized("secret").view());
  ASSERT_FALSE(event);
  EXPECT_EQ(event.error().to_string().find("secret"), std::string::npos);
}

}  // namespace
}  // namespace shardway
