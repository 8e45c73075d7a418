#include "shardway/base/write_id.hpp"

#include <set>

#include <gtest/gtest.h>

namespace shardway {
namespace {

using namespace std::chrono_literals;

// RFC 9562, appendix A.6: 2022-02-22 19:22:22 UTC.
constexpr auto rfc_text = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";

TEST(write_id, matches_the_vector_of_rfc_9562) {
  auto const id =
      write_id::from_parts(0x017F22E279B0, {0x0C, 0xC3, 0x18, 0xC4, 0xDC, 0x0C, 0x0C, 0x07, 0x39, 0x8F});
  EXPECT_EQ(id.to_string(), rfc_text);
  EXPECT_EQ(id.time().time_since_epoch(), 1645557742000ms);
  EXPECT_EQ(write_id::parse(rfc_text), id);
  EXPECT_EQ(write_id::parse("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), id);
}

TEST(write_id, version_and_variant_win_over_random_bits) {
  std::array<std::uint8_t, 10> ones;
  ones.fill(0xFF);
  EXPECT_EQ(write_id::from_parts(0, ones).to_string(), "00000000-0000-7fff-bfff-ffffffffffff");
}

TEST(write_id, refuses_any_other_text) {
  for (auto const* text : {"", "017f22e2-79b0-4cc3-98c4-dc0c0c07398f", "017f22e2-79b0-7cc3-18c4-dc0c0c07398f",
                           "017f22e279b07cc398c4dc0c0c07398f", "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
                           "017f22e2-79b0-7cc3-98c4-dc0c0c07398", "017f22e2+79b0-7cc3-98c4-dc0c0c07398f"})
    EXPECT_FALSE(write_id::parse(text)) << text;
}

struct stopped_clock final : clock_source {
  steady_time now() const noexcept override { return {}; }
  std::chrono::system_clock::time_point wall() const noexcept override {
    return std::chrono::system_clock::time_point{1645557742000ms};
  }
  void sleep_until(steady_time) const override {}
};

TEST(write_id, takes_its_time_from_the_clock_and_is_unique) {
  stopped_clock const clock;
  std::set<write_id> seen;
  for (int i = 0; i < 1000; ++i) {
    auto const id = write_id::make(clock);
    EXPECT_EQ(id.time().time_since_epoch(), 1645557742000ms);
    EXPECT_TRUE(seen.insert(id).second);
    EXPECT_EQ(write_id::parse(id.to_string()), id);
  }
}

TEST(clock, sleeps_until_the_time_given) {
  auto const& clock = system_clock_source();
  auto const until = clock.now() + 2ms;
  clock.sleep_until(until);
  EXPECT_GE(clock.now(), until);
  clock.sleep_until(clock.now() - 1h);
}

}  // namespace
}  // namespace shardway
