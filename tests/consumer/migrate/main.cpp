// A tool of one's own: reads a manifest with a fault in it, and asks the doctor without giving him a way to
// connect.
#include <cstdio>

#include "shardway/manifest/codec.hpp"
#include "shardway/migrate/preflight/preflight.hpp"

int main() {
  auto const file = shardway::parse_table_manifest(
      "api_version: 1 table: \"shop.orders\" group: \"sales\" key: \"id\"", "orders.txtpb");
  for (auto const& finding : file.findings) std::printf("%s\n", finding.code.c_str());
  if (file.findings.size() != 1 || file.findings.front().code != "M010") return 1;
  auto const no_connection = shardway::run_preflight({}, {file.manifest}, {});
  return !no_connection && no_connection.error().code() == shardway::error_code::invalid_argument ? 0 : 1;
}
