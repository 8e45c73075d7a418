// The statements of lookups as they are sent, each with its parameters.
#include <gtest/gtest.h>

#include "lib/protocol/lookup.hpp"
#include "support/value_of.hpp"
#include "tests/unit/protocol/golden_file.hpp"
#include "tests/unit/protocol/sql_samples.hpp"

namespace {

using namespace shardway_test;

struct sent_statement {
  std::string maker;
  statement what;
};

std::string shown(std::string const& lookup, sent_statement const& sent) {
  auto text = "\n-- === " + lookup + ": " + sent.maker + " ===\n" + sent.what.sql;
  for (std::size_t i = 0; i < sent.what.parameters.size(); ++i)
    text += "-- $" + std::to_string(i + 1) + " = " + sent.what.parameters[i].value_or("NULL") + '\n';
  return text;
}

std::vector<sent_statement> statements_on_mappings(lookup_entry const& entry, lookup_owner const& holder) {
  auto const& lookup = entry.lookup;
  std::vector<slot_id> const slots{slot_id{4095}, slot_id{7}, slot_id{7 + 1024}};
  return {{"lookup_lock_statement, shared", lookup_lock_statement(lookup, slots, false)},
          {"lookup_lock_statement, exclusive", lookup_lock_statement(lookup, slots, true)},
          {"lookup_insert_statement", lookup_insert_statement({&entry, 1})},
          {"lookup_holders_statement", lookup_holders_statement({&entry, 1})},
          {"lookup_takeover_statement", lookup_takeover_statement(entry, holder)},
          {"lookup_remove_statement", lookup_remove_statement(entry)},
          {"lookup_find_statement", lookup_find_statement(lookup, entry.texts, 101)},
          {"lookup_ready_statement", lookup_ready_statement(lookup)},
          {"lookup_page_statement, first", lookup_page_statement(lookup, nullptr, 1000)},
          {"lookup_page_statement, next", lookup_page_statement(lookup, &entry, 1000)},
          {"without_mapping_statement", without_mapping_statement({&entry, 1})}};
}

std::vector<sent_statement> statements_on_rows(lookup_entry const& entry, lookup_owner const& holder) {
  auto const& lookup = entry.lookup;
  auto last = entry;
  last.owner.row_key = holder.row_key;  // the last row of a base page has its key for every kind of lookup
  return {{"source_find_statement", source_find_statement(lookup, entry.texts, 101)},
          {"all_open_statement", all_open_statement(lookup.table->manifest.group)},
          {"row_holds_statement", row_holds_statement(lookup, entry.texts, entry.owner)},
          {"base_page_statement, first", base_page_statement(lookup, nullptr, 1000)},
          {"base_page_statement, next", base_page_statement(lookup, &last, 1000)},
          {"without_row_statement", without_row_statement({&entry, 1})}};
}

TEST(golden_sql_of_lookups, of_a_table_with_a_unique_lookup_and_one_over_two_columns) {
  auto const sample = mixed_case_sample();
  std::string const id = "00000000-0000-0000-0000-00000000000";
  lookup_owner const holder{{"other", id + "2"}, {"other", id + "2"}};
  auto const entries =
      value_of(lookup_entries(sample.table, {"tenant \"one\"", id + "1", "a@b.example", "\\x00ff", "-7"}));
  ASSERT_EQ(entries.size(), 2U);
  auto document = "-- What is sent for the lookups of table " + sample.table.manifest.table + ".\n";
  for (auto const& entry : entries) {
    auto const& name = entry.lookup.lookup->name;
    for (auto const& sent : statements_on_mappings(entry, holder)) document += shown(name, sent);
    for (auto const& sent : statements_on_rows(entry, holder)) document += shown(name, sent);
  }
  compare_with_golden_file("mixed_case_lookups", document);
}

}  // namespace
