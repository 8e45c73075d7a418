// A service's own test: a real server, and a session of the library on it.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "shardway/pg/connect.hpp"
#include "shardway/testing/server.hpp"

int main() {
  std::string folder = std::filesystem::temp_directory_path() / "shardway_uses_testing.XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) return 1;
  std::filesystem::permissions(folder, std::filesystem::perms{0755});  // the server runs as another user
  int outcome = 1;
  if (auto const server = shardway::testing::server::launch(folder, {.fast = true}); !server) {
    std::fprintf(stderr, "%s\n", server.error().message().c_str());
  } else if (auto const session = shardway::connect({.node = "source", .conninfo = server.value()->socket_conninfo()}); session) {
    auto const answer = session.value()->query({.sql = "SELECT 6 * 7"});
    if (answer && answer.value().text(0, 0) == "42") outcome = 0;
  }
  std::filesystem::remove_all(folder);
  return outcome;
}
