#include "lib/store/text_array.hpp"

#include <gtest/gtest.h>

namespace {

using namespace shardway;

TEST(a_text_array, quotes_what_an_array_reads) {
  std::vector<std::string> const values{"a", "b\"c\\", "", "{,}"};
  EXPECT_EQ(text_array(values), R"({"a","b\"c\\","","{,}"})");
  EXPECT_EQ(text_array(std::vector<std::string>{}), "{}");
}

TEST(a_text_array, says_null_for_nothing) {
  EXPECT_EQ(text_array(std::vector<text_value>{std::nullopt, "NULL", std::nullopt}), R"({NULL,"NULL",NULL})");
}

TEST(a_text_array, is_read_back) {
  EXPECT_EQ(parse_text_array("{}"), std::vector<std::string>{});
  EXPECT_EQ(parse_text_array(R"({a,"b,c","d\"e\\",""})"),
            (std::vector<std::string>{"a", "b,c", "d\"e\\", ""}));
  for (auto const* text : {"", "{", "a", "{NULL}", "{{a}}", "{\"a}", "{\"a\"b}"})
    EXPECT_FALSE(parse_text_array(text)) << text;
}

}  // namespace
