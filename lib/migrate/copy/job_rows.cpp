// The rows of a chunk: binary COPY out of the source; each tuple goes unparsed into the binary COPY of its
// shard.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/migrate/copy/job.hpp"
#include "lib/migrate/copy/plan.hpp"
#include "lib/migrate/nodes/reconnect.hpp"
#include "lib/migrate/nodes/run_all.hpp"
#include "lib/migrate/stream/table_sql.hpp"
#include "lib/protocol/conflict.hpp"
#include "lib/protocol/fence.hpp"
#include "lib/protocol/key_text.hpp"
#include "lib/protocol/names.hpp"
#include "lib/protocol/progress.hpp"
#include "lib/store/text_array.hpp"
#include "shardway/base/stop_point.hpp"
#include "shardway/route/slot.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::copy {
namespace {

result<slot_id> slot_of_binary(stream::followed_table const& table, binary_tuple const& tuple) {
  std::vector<shard_key> columns;
  for (std::size_t i = 0; i < table.shard_key.size(); ++i) {
    if (!tuple.fields[i])
      return error{error_code::constraint_violation,
                   "a row of table " + table.name() + " has NULL in its shard key",
                   "shard keys must be NOT NULL"};
    BOOST_OUTCOME_TRY(auto column, shard_key::from_binary(table.shard_key_types[i], *tuple.fields[i]));
    columns.push_back(std::move(column));
  }
  if (columns.size() == 1) return slot_of(columns.front());
  BOOST_OUTCOME_TRY(auto const whole, shard_key::composite(columns));
  return slot_of(whole);
}

// CP8: deletes the rows that an interrupted attempt left, but never a row whose slot the shard has authority
// for. Holds the fence meanwhile.
std::string emptying_sql(stream::followed_table const& table, std::string const& condition) {
  auto sql = absl::StrCat("DELETE FROM ", names::quoted_table(table.name()), " AS t", condition);
  if (table.is_reference()) return sql;
  return absl::StrCat(sql, condition.empty() ? " WHERE " : " AND ", stream::outside_authority(table));
}

// AP10: where the shard has authority for slots, it may have given out a key of the copy. Such a row must not
// stop the COPY, so the rows come in beside the table first.
constexpr char incoming[] = "pg_temp.shardway_incoming";

bool is_staged(stream::followed_table const& table, std::vector<bool> const& held) {
  return !table.key_holds_place && std::find(held.begin(), held.end(), true) != held.end();
}

std::string incoming_sql(stream::followed_table const& table) {
  return absl::StrCat("CREATE TEMP TABLE shardway_incoming ON COMMIT DROP AS SELECT ",
                      stream::sent_column_list(table), " FROM ", names::quoted_table(table.name()),
                      " WITH NO DATA");
}

std::string key_columns(stream::followed_table const& table, std::string const& before) {
  return absl::StrJoin(table.key, ", ", [&](std::string* out, std::size_t column) {
    absl::StrAppend(out, before, stream::quoted_column(table, column));
  });
}

std::string move_in_sql(stream::followed_table const& table) {
  auto const columns = stream::sent_column_list(table);
  return absl::StrCat("INSERT INTO ", names::quoted_table(table.name()), " (", columns,
                      ") OVERRIDING SYSTEM VALUE SELECT ", columns, " FROM ", incoming, " ON CONFLICT (",
                      key_columns(table, ""), ") DO NOTHING");
}

// Rows that are not in the table now: key, slot; slot and version of the row that has the key, or NULL.
std::string left_out_sql(stream::followed_table const& table) {
  auto const version = "t." + std::string(names::version_column);
  return absl::StrCat("SELECT ARRAY[", key_text_list(table.state, table.state.manifest.key, "i."), "], ",
                      stream::slot_of_row(table, "i."), ", ", stream::slot_of_row(table), ", ", version,
                      " FROM ", incoming, " AS i LEFT JOIN ", names::quoted_table(table.name()), " AS t ON (",
                      key_columns(table, "t."), ") = (", key_columns(table, "i."), ") WHERE ", version,
                      " IS NULL OR NOT (", stream::outside_authority(table), ")");
}

// What the shard's own rows kept out is noted. A row whose key is free again comes with the next try.
result<> move_in(session& shard, stream::followed_table const& table) {
  std::vector<statement> const statements{{.sql = move_in_sql(table)}, {.sql = left_out_sql(table)}};
  BOOST_OUTCOME_TRY(auto const answers, nodes::run_all(shard, statements));
  auto const& left_out = answers[1];
  std::vector<statement> notes;
  for (std::size_t i = 0; i < left_out.size(); ++i) {
    auto key = parse_text_array(left_out.text(i, 0));
    if (!left_out.at(i, 3) || !key)
      return error{error_code::serialization_failure, "a row that held a key of the copy is gone again"};
    for (auto& note : note_conflict_statements({.stream = "copy",
                                                .relation = table.name(),
                                                .key = std::move(*key),
                                                .slot = std::string(left_out.text(i, 1)),
                                                .held_slot = std::string(left_out.text(i, 2)),
                                                .version = "0",
                                                .held_version = std::string(left_out.text(i, 3)),
                                                .reason = "a row of another place has the primary key"}))
      notes.push_back(std::move(note));
  }
  if (notes.empty()) return success();
  BOOST_OUTCOME_TRYV(nodes::run_all(shard, notes));
  return success();
}

}  // namespace

result<job::counts> job::copy_rows(worker_nodes& connected, stream::followed_table const& table,
                                   stream::chunk_range const& range) {
  auto const condition = range_condition(table, stream::order_of(table), range);
  BOOST_OUTCOME_TRY(auto const held, begin_on_shards(connected, table, condition));
  std::vector<std::unique_ptr<copy_writer>> writers;
  for (std::size_t i = 0; i < connected.shards.size(); ++i) {
    auto& shard = connected.shards[i];
    bool const staged = is_staged(table, held[i]);
    if (staged) {
      BOOST_OUTCOME_TRYV(shard->query({.sql = incoming_sql(table)}));
    }
    auto const target = staged ? std::string(incoming) : names::quoted_table(table.name());
    BOOST_OUTCOME_TRY(auto writer, shard->copy_in("COPY " + target + " (" + stream::sent_column_list(table) +
                                                  ") FROM STDIN (FORMAT binary)"));
    BOOST_OUTCOME_TRYV(writer->write(binary_copy_header));
    writers.push_back(std::move(writer));
  }
  BOOST_OUTCOME_TRY(auto const counted, pump(connected, table, condition, writers, held));
  for (auto& writer : writers) {
    BOOST_OUTCOME_TRYV(writer->write(binary_copy_trailer));
    BOOST_OUTCOME_TRYV(writer->finish());
  }
  writers.clear();
  for (std::size_t i = 0; i < connected.shards.size(); ++i)
    if (is_staged(table, held[i])) {
      BOOST_OUTCOME_TRYV(move_in(*connected.shards[i], table));
    }
  BOOST_OUTCOME_TRYV(connected.source->query({.sql = "ROLLBACK"}));
  if (stop_point("after_chunk_copy")) return nodes::stopped_by_test("after_chunk_copy");
  BOOST_OUTCOME_TRYV(commit_on_shards(connected));
  return counted;
}

result<std::vector<job::slot_set>> job::begin_on_shards(worker_nodes& connected,
                                                        stream::followed_table const& table,
                                                        std::string const& condition) {
  std::vector<slot_set> held;
  for (auto& shard : connected.shards) {
    std::vector<statement> statements{{.sql = "BEGIN"},
                                      engine_statement(options_.token, "copy"),
                                      fence_lock_statement(table.group()),
                                      read_fence_statement(table.group()),
                                      {.sql = emptying_sql(table, condition)}};
    BOOST_OUTCOME_TRY(auto const answers, nodes::run_all(*shard, statements));
    BOOST_OUTCOME_TRY(auto const fence, parse_fence(answers[3]));
    slot_set slots(limits::slot_count);
    for (auto const& row : fence)
      for (std::uint32_t slot = row.slots.first.value(); row.open && slot <= row.slots.last.value(); ++slot)
        slots[slot] = true;
    held.push_back(std::move(slots));
  }
  return held;
}

result<job::counts> job::pump(worker_nodes& connected, stream::followed_table const& table,
                              std::string const& condition,
                              std::vector<std::unique_ptr<copy_writer>>& writers,
                              std::vector<slot_set> const& held) {
  auto const windows = stream_.windows_of(table.group());
  auto const catalog = stream_.catalog();
  BOOST_OUTCOME_TRY(auto splitter,
                    binary_copy_splitter::make({.columns = table.sent.size(), .chosen = table.shard_key}));
  BOOST_OUTCOME_TRY(auto reader,
                    connected.source->copy_out("COPY (SELECT " + stream::sent_column_list(table) + " FROM " +
                                               names::quoted_table(table.name()) + condition +
                                               ") TO STDOUT (FORMAT binary)"));
  counts counted;
  for (;;) {
    BOOST_OUTCOME_TRY(auto const piece, reader->read());
    if (piece.empty()) break;
    if (stopping_) return error{error_code::cancelled, "the copy is stopping"};
    splitter.feed(piece);
    for (;;) {
      BOOST_OUTCOME_TRY(auto const tuple, splitter.next());
      if (!tuple) break;
      ++counted.rows;
      counted.bytes += static_cast<std::int64_t>(tuple->bytes.size());
      if (table.is_reference()) {
        for (auto& writer : writers) {
          BOOST_OUTCOME_TRYV(writer->write(tuple->bytes));
        }
        continue;
      }
      BOOST_OUTCOME_TRY(auto const slot, slot_of_binary(table, *tuple));
      auto const shard = catalog->shard_of(slot);
      if (windows->of(slot).is_open && !held[shard][slot.value()]) {
        BOOST_OUTCOME_TRYV(writers[shard]->write(tuple->bytes));
      }
    }
    for (auto& writer : writers) {
      BOOST_OUTCOME_TRYV(writer->pump());
    }
    if (counted.rows % 1000 == 1 && stop_point("during_chunk_copy"))
      return nodes::stopped_by_test("during_chunk_copy");
  }
  BOOST_OUTCOME_TRYV(splitter.finish());
  return counted;
}

result<> job::commit_on_shards(worker_nodes& connected) {
  for (auto& shard : connected.shards) {
    auto const outcome = shard->commit();
    if (outcome.is_committed()) continue;
    // Whether or not the commit is in doubt, the chunk's range is emptied and copied again (CP6).
    return outcome.why.value_or(error{error_code::connection_lost, "the copy of a chunk was not committed"});
  }
  return success();
}

}  // namespace migrate::copy
}  // namespace v0
}  // namespace shardway
