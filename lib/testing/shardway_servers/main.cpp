// The program shardway_servers: a cluster of real servers for scripts. It prints its nodes as one line of
// JSON, runs commands from stdin and answers each with one line of JSON. It removes everything when stdin
// closes or a signal ends it.
#include <charconv>
#include <csignal>
#include <iostream>
#include <map>
#include <optional>
#include <sstream>
#include <string>

#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "shardway/testing/cluster.hpp"

namespace {

using nlohmann::json;
using shardway::error;
using shardway::error_code;
using shardway::result;
using shardway::testing::cluster;
using shardway::testing::cluster_options;
using shardway::testing::server;

constexpr char const* usage =
    "shardway_servers [--source-major 13|15|18] [--shard-major 13|15|18] [--shards N] [--replicas N] "
    "[--shard-replicas N]\n"
    "                 [--replay-delay-ms N] [--database NAME] [--set NAME=VALUE]... [--fast]\n"
    "Starts a source, its replicas and N shards; prints one line of JSON with their connection strings and "
    "process ids.\n"
    "Commands on stdin, one a line: kill NAME | start NAME | stop NAME | restart NAME | pause NAME | resume "
    "NAME | promote NAME | status\n"
    "Each is answered by one line of JSON. Runs until stdin closes, SIGINT or SIGTERM; then nothing is "
    "left.\n"
    "--fast turns fsync off: enough for a kill of a process, not for a crash of the machine.\n";

bool to_number(std::string const& text, auto& number) {
  auto const end = text.data() + text.size();
  return std::from_chars(text.data(), end, number).ptr == end && !text.empty();
}

bool take_option(cluster_options& options, std::string const& name, std::string const& value) {
  if (name == "--source-major") return to_number(value, options.source_major);
  if (name == "--shard-major") return to_number(value, options.shard_major);
  if (name == "--shards") return to_number(value, options.shards);
  if (name == "--replicas") return to_number(value, options.replicas);
  if (name == "--shard-replicas") return to_number(value, options.replicas_per_shard);
  if (name == "--database") return !(options.database = value).empty();
  if (name == "--replay-delay-ms") {
    long delay = 0;
    bool const valid = to_number(value, delay) && delay >= 0;
    options.replay_delay = std::chrono::milliseconds(delay);
    return valid;
  }
  auto const equals = value.find('=');
  if (name != "--set" || equals == std::string::npos) return false;
  options.settings[value.substr(0, equals)] = value.substr(equals + 1);
  return true;
}

std::optional<cluster_options> parse(int count, char** arguments) {
  cluster_options options;
  for (int i = 1; i < count; ++i) {
    std::string const name = arguments[i];
    if (name == "--fast") {
      options.fast = true;
      continue;
    }
    ++i;
    if (i >= count || !take_option(options, name, arguments[i])) return std::nullopt;
  }
  return options;
}

json describe(cluster& fleet, server const& node) {
  return {{"name", node.name()},
          {"major", node.major()},
          {"pid", node.pid()},
          {"port", node.port()},
          {"conninfo", fleet.conninfo(node)},
          {"socket_conninfo", node.socket_conninfo(fleet.database())},
          {"log", (node.folder() / "server.log").string()}};
}

json describe(cluster& fleet) {
  json nodes = json::array();
  for (auto* node : fleet.all()) nodes.push_back(describe(fleet, *node));
  return {{"folder", fleet.folder().string()}, {"database", fleet.database()}, {"nodes", std::move(nodes)}};
}

result<void> obey(server& node, std::string const& verb) {
  static std::map<std::string, result<void> (*)(server&)> const verbs{
      {"kill", [](server& n) { return n.kill_9(); }},    {"start", [](server& n) { return n.start(); }},
      {"stop", [](server& n) { return n.stop(); }},      {"restart", [](server& n) { return n.restart(); }},
      {"pause", [](server& n) { return n.pause(); }},    {"resume", [](server& n) { return n.resume(); }},
      {"promote", [](server& n) { return n.promote(); }}};
  auto const found = verbs.find(verb);
  if (found == verbs.end())
    return error{error_code::invalid_argument, "unknown command '" + verb + "'",
                 "kill, start, stop, restart, pause, resume, promote or status"};
  return found->second(node);
}

json answer(cluster& fleet, std::string const& line) {
  std::istringstream words(line);
  std::string verb, name;
  words >> verb >> name;
  json reply{{"command", line}, {"ok", true}};
  if (verb == "status") {
    reply.update(describe(fleet));
    return reply;
  }
  auto* node = fleet.find(name);
  auto const outcome =
      node ? obey(*node, verb)
           : result<void>(error{error_code::invalid_argument, "there is no node '" + name + "'"});
  reply["ok"] = static_cast<bool>(outcome);
  if (!outcome) reply["error"] = outcome.error().to_string();
  if (node) reply["pid"] = node->pid();
  return reply;
}

void print(json const& document) {
  std::cout << document.dump(-1, ' ', false, json::error_handler_t::replace) << '\n' << std::flush;
}

// False at the end of the input.
bool obey_input(cluster& fleet, std::string& pending) {
  char bytes[4096];
  auto const count = ::read(STDIN_FILENO, bytes, sizeof bytes);
  if (count <= 0) return false;
  pending.append(bytes, static_cast<std::size_t>(count));
  for (auto end = pending.find('\n'); end != std::string::npos; end = pending.find('\n')) {
    auto const line = pending.substr(0, end);
    pending.erase(0, end + 1);
    if (!line.empty()) print(answer(fleet, line));
  }
  return true;
}

void serve(cluster& fleet, int signals) {
  std::string pending;
  pollfd inputs[] = {{STDIN_FILENO, POLLIN, 0}, {signals, POLLIN, 0}};
  for (;;) {
    if (::poll(inputs, 2, -1) < 0) return;
    if (inputs[1].revents != 0) return;
    if (inputs[0].revents != 0 && !obey_input(fleet, pending)) return;
  }
}

}  // namespace

int main(int count, char** arguments) {
  sigset_t ending;
  sigemptyset(&ending);
  for (int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ending, number);
  ::pthread_sigmask(SIG_BLOCK, &ending, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  int const signals = ::signalfd(-1, &ending, SFD_CLOEXEC);

  auto const options = parse(count, arguments);
  if (!options) {
    std::cerr << usage;
    return 2;
  }
  auto const fleet = cluster::start(*options);
  if (!fleet) {
    std::cerr << fleet.error().to_string() << "\n";
    return 1;
  }
  print(describe(*fleet.value()));
  serve(*fleet.value(), signals);
}
