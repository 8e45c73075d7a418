#include "shardway/testing/cluster.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/testing/spawner.hpp"

namespace shardway {
inline namespace v0 {
namespace testing {

namespace fs = std::filesystem;

namespace {

// The reaper's input ends when this process ends, in whatever way. Servers that were killed with it may still
// write for a moment.
constexpr char const* reaper_script =
    "cat >/dev/null; for i in 1 2 3 4 5; do rm -rf -- \"$0\" 2>/dev/null; [ -e \"$0\" ] || exit 0; sleep 1; "
    "done";

[[noreturn]] void become_reaper(int input, char const* folder) {
  ::setsid();
  int const nothing = ::open("/dev/null", O_RDWR);
  ::dup2(input, 0);
  if (nothing >= 0) {
    ::dup2(nothing, 1);
    ::dup2(nothing, 2);
  }
  ::execl("/bin/sh", "sh", "-c", reaper_script, folder, static_cast<char*>(nullptr));
  ::_exit(127);
}

error refused(char const* what) {
  return error{error_code::precondition_failed, std::string(what) + ": " + std::strerror(errno)};
}

// Runs each job in a thread of its own. Returns the first error in the order of the jobs.
result<void> in_parallel(std::vector<std::function<result<void>()>> const& jobs) {
  std::vector<result<void>> answers(jobs.size(), success());
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < jobs.size(); ++i) threads.emplace_back([&, i] { answers[i] = jobs[i](); });
  }
  for (auto& answer : answers) {
    BOOST_OUTCOME_TRYV(std::move(answer));
  }
  return success();
}

}  // namespace

scratch_folder::scratch_folder(fs::path path, int reaper_pipe, pid_t reaper)
    : path_(std::move(path)), reaper_pipe_(reaper_pipe), reaper_(reaper) {}

result<std::unique_ptr<scratch_folder>> scratch_folder::make() {
  auto name = (fs::temp_directory_path() / "shardway-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) return refused("a temporary folder can't be made");
  ::chmod(name.c_str(), 0755);  // the servers' user walks through it
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return refused("a pipe can't be made");
  BOOST_OUTCOME_TRY(auto const reaper, in_spawner_thread([&]() -> result<pid_t> {
                      pid_t const child = ::fork();
                      if (child == 0) become_reaper(ends[0], name.c_str());
                      if (child < 0) return refused("fork");
                      return child;
                    }));
  ::close(ends[0]);
  return std::unique_ptr<scratch_folder>(new scratch_folder(name, ends[1], reaper));
}

scratch_folder::~scratch_folder() {
  ::close(reaper_pipe_);
  while (::waitpid(reaper_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

cluster::cluster(cluster_options options, std::unique_ptr<scratch_folder> folder)
    : options_(std::move(options)), folder_(std::move(folder)) {}

cluster::~cluster() {
  for (auto* group : {&replicas_, &shard_replicas_}) group->clear();
  std::vector<std::jthread> threads;
  for (auto& shard : shards_) threads.emplace_back([&shard] { shard.reset(); });
  source_.reset();
}

result<std::unique_ptr<cluster>> cluster::start(cluster_options options) {
  BOOST_OUTCOME_TRY(auto folder, scratch_folder::make());
  std::unique_ptr<cluster> made(new cluster(std::move(options), std::move(folder)));
  BOOST_OUTCOME_TRYV(made->launch_primaries());
  BOOST_OUTCOME_TRYV(made->make_databases());
  BOOST_OUTCOME_TRYV(made->launch_replicas());
  return made;
}

result<void> cluster::launch_primaries() {
  shards_.resize(options_.shards);
  auto const launch = [this](std::unique_ptr<server>& place, std::string name, int major) -> result<void> {
    BOOST_OUTCOME_TRY(place, server::launch(folder(), {.name = std::move(name),
                                                       .major = major,
                                                       .settings = options_.settings,
                                                       .fast = options_.fast}));
    return success();
  };
  std::vector<std::function<result<void>()>> jobs;
  jobs.push_back([&] { return launch(source_, "source", options_.source_major); });
  for (std::size_t i = 0; i < shards_.size(); ++i)
    jobs.push_back(
        [&, i] { return launch(shards_[i], "shard" + std::to_string(i + 1), options_.shard_major); });
  return in_parallel(jobs);
}

result<void> cluster::make_databases() {
  if (options_.database == "postgres") return success();
  for (auto* node : all()) {
    BOOST_OUTCOME_TRYV(node->query("CREATE DATABASE \"" + options_.database + "\""));
  }
  return success();
}

result<void> cluster::launch_replicas() {
  replicas_.resize(options_.replicas);
  shard_replicas_.resize(options_.shards * options_.replicas_per_shard);
  std::vector<std::function<result<void>()>> jobs;
  auto const follow = [](server& primary, std::unique_ptr<server>& place,
                         replica_options options) -> result<void> {
    BOOST_OUTCOME_TRY(place, primary.make_replica(std::move(options)));
    return success();
  };
  for (std::size_t i = 0; i < options_.replicas; ++i) {
    bool const lags = i + 1 == options_.replicas;
    replica_options wanted{.name = "replica" + std::to_string(i + 1),
                           .replay_delay = lags ? options_.replay_delay : std::chrono::milliseconds(0)};
    jobs.push_back([&, i, wanted] { return follow(*source_, replicas_[i], wanted); });
  }
  for (std::size_t i = 0; i < shard_replicas_.size(); ++i) {
    auto& primary = *shards_[i / options_.replicas_per_shard];
    auto const name = primary.name() + "_replica" + std::to_string(i % options_.replicas_per_shard + 1);
    jobs.push_back([&, i, name] { return follow(primary, shard_replicas_[i], {.name = name}); });
  }
  return in_parallel(jobs);
}

std::vector<server*> cluster::all() {
  std::vector<server*> nodes;
  if (source_) nodes.push_back(source_.get());
  for (auto* group : {&replicas_, &shards_, &shard_replicas_})
    for (auto& node : *group)
      if (node) nodes.push_back(node.get());
  return nodes;
}

server* cluster::find(std::string_view name) noexcept {
  for (auto* node : all())
    if (node->name() == name) return node;
  return nullptr;
}

}  // namespace testing
}  // namespace v0
}  // namespace shardway
