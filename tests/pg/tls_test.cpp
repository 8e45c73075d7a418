// Encrypted connections (P3): what verify-full accepts and what it refuses. A real server has a certificate
// of a test authority.
#include <cstdlib>
#include <filesystem>

#include <gmock/gmock.h>

#include "lib/pg/pool.hpp"
#include "nodes.hpp"

namespace {

using namespace shardway;
using namespace shardway_test;
using ::testing::HasSubstr;

// A certificate authority, and a key and certificate for `localhost` that it signed. The openssl command
// makes them.
void make_certificates(std::filesystem::path const& folder, std::string const& authority) {
  auto const in = "cd '" + folder.string() + "' && ";
  auto const make = [&](std::string const& command) {
    ASSERT_EQ(std::system((in + command + " 2>/dev/null").c_str()), 0)
        << "the openssl command is needed: install Debian's package openssl";
  };
  make("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=" +
       authority + " -keyout " + authority + ".key -out " + authority + ".crt");
  make(
      "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -keyout "
      "server.key -out server.csr");
  make("openssl x509 -req -in server.csr -CA " + authority + ".crt -CAkey " + authority +
       ".key -CAcreateserial -days 2 -out server.crt");
}

class encrypted : public ::testing::Test {
 protected:
  void SetUp() override {
    scratch = value_of(shardway::testing::scratch_folder::make());
    server =
        value_of(shardway::testing::server::launch(scratch->path(), {.name = "encrypted", .fast = true}));
    auto const folder = server->folder();
    make_certificates(folder, "authority");
    // PostgreSQL accepts only a key that belongs to its own user.
    auto const owner = "chown --reference='" + (folder / "data").string() + "' '" +
                       (folder / "server.key").string() + "' '" + (folder / "server.crt").string() +
                       "' && chmod 600 '" + (folder / "server.key").string() + "'";
    ASSERT_EQ(std::system(owner.c_str()), 0);
    require(server->configure({{"ssl", "on"},
                               {"ssl_cert_file", (folder / "server.crt").string()},
                               {"ssl_key_file", (folder / "server.key").string()}}));
    require(server->restart());
  }
  connect_options with(std::string const& host, std::string const& authority) {
    return {.node = "shard0",
            .conninfo = "host=" + host + " hostaddr=127.0.0.1 port=" + std::to_string(server->port()) +
                        " dbname=postgres user=postgres sslmode=verify-full sslrootcert=" +
                        (server->folder() / (authority + ".crt")).string()};
  }
  std::unique_ptr<shardway::testing::scratch_folder> scratch;
  std::unique_ptr<shardway::testing::server> server;
};

TEST_F(encrypted, verify_full_connects_and_is_encrypted) {
  auto const on = value_of(connect(with("localhost", "authority")));
  EXPECT_EQ(
      value_of(on->query({.sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"})).text(0, 0),
      "t");
}

TEST_F(encrypted, another_name_or_authority_is_refused_and_told) {
  auto const misnamed = connect(with("shard0.example", "authority"));
  ASSERT_FALSE(misnamed);
  EXPECT_THAT(misnamed.error().to_string(), HasSubstr("shard0"));
  make_certificates(server->folder(), "stranger");
  EXPECT_FALSE(connect(with("localhost", "stranger")));
}

TEST_F(encrypted, a_pool_hands_out_encrypted_sessions_and_a_server_without_tls_none) {
  auto pool = value_of(session_pool::make({.node = with("localhost", "authority")}));
  EXPECT_TRUE(pool.lease(in(5s)));
  require(server->configure({{"ssl", "off"}}));
  require(server->restart());
  EXPECT_FALSE(pool.lease(in(5s)));
}

}  // namespace
