// What connect refuses before it opens a socket; the rest of the translation is tested on servers.
#include <gtest/gtest.h>

#include "shardway/pg/connect.hpp"

namespace shardway {
namespace {

error refusal(connect_options options) {
  auto const made = connect(options);
  EXPECT_FALSE(made);
  return made.error();
}

TEST(Connect, PasswordInTheConninfoIsRefusedAndNotRepeated) {  // P4
  for (char const* conninfo :
       {"host=127.0.0.1 port=1 password=hunter2", "postgresql://u:hunter2@127.0.0.1:1/db",
        "host=127.0.0.1 sslpassword=hunter2"}) {
    auto const why = refusal({.node = "source", .conninfo = conninfo});
    EXPECT_EQ(why.code(), error_code::invalid_argument) << conninfo;
    EXPECT_EQ((why.to_string() + why.server_detail()).find("hunter2"), std::string::npos);
    EXPECT_EQ(why.node(), "source");
  }
}

TEST(Connect, BadConninfoIsNotRepeated) {
  auto const why = refusal({.node = "source", .conninfo = "host=127.0.0.1 passwordhunter2"});
  EXPECT_EQ(why.code(), error_code::invalid_argument);
  EXPECT_EQ((why.to_string() + why.server_detail()).find("hunter2"), std::string::npos);
}

TEST(Connect, NobodyListening) {
  auto const why = refusal({.node = "shard1", .conninfo = "host=127.0.0.1 port=1"});
  EXPECT_EQ(why.code(), error_code::node_unreachable);
  EXPECT_TRUE(is_retryable(why.code()));
}

TEST(Connect, TimeoutOfZeroIsRefused) {
  EXPECT_EQ(
      refusal(
          {.node = "source", .conninfo = "host=127.0.0.1", .connect_timeout = std::chrono::milliseconds{0}})
          .code(),
      error_code::invalid_argument);
}

TEST(Connect, PasswordProviderErrorsArePassedOn) {
  connect_options options{.node = "source", .conninfo = "host=127.0.0.1 port=1"};
  options.password_provider = []() -> result<std::string> {
    return error{error_code::permission_denied, "vault is sealed"};
  };
  EXPECT_EQ(refusal(options).code(), error_code::permission_denied);
}

}  // namespace
}  // namespace shardway
