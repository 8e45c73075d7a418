// The hash of an entry of the audit log, against hashes that another implementation made: the SHA-256 of
// "<bytes>:<field>\n" for each of the five fields.
#include "lib/catalog/audit_chain.hpp"

#include <gtest/gtest.h>

namespace shardway {
namespace {

audit_entry wave_begun() {
  audit_entry entry;
  entry.previous_sha256 = std::string(64, 'a');
  entry.actor = "deploy@host:12";
  entry.action = "wave.begun";
  entry.detail = R"({"group": "sales", "slots": [0, 4095]})";
  entry.recorded_at = "2026-01-02 03:04:05.678901+00";
  return entry;
}

TEST(audit_chain, hashes_are_those_of_every_stored_log) {
  auto first = wave_begun();
  first.previous_sha256.clear();
  EXPECT_EQ(chained_sha256(first), "bbcdacdc250723ef4025380f68abdcf6806db7549d8c4ecbe55d32a32f186053");
  EXPECT_EQ(chained_sha256(wave_begun()), "8fe2a300592a4e88a234bc563c40209841122d61511e025be0ab183e83645877");
  EXPECT_EQ(chained_sha256({}), "55c5561e5d01a2fd9533d236a33613b9c44dd10e4817363a34299f437506d575");
}

TEST(audit_chain, text_that_moves_from_one_field_to_the_next_shows) {
  auto moved = wave_begun();
  moved.actor = "deploy@host:1";
  moved.action = "2wave.begun";
  EXPECT_NE(chained_sha256(moved), chained_sha256(wave_begun()));
}

TEST(audit_chain, number_and_own_hash_are_not_hashed) {
  auto stored = wave_begun();
  stored.id = 7;
  stored.sha256 = "b";
  EXPECT_EQ(chained_sha256(stored), chained_sha256(wave_begun()));
}

}  // namespace
}  // namespace shardway
