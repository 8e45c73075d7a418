// Named places in the library where a test stops it, kills it or makes it fail. A build without
// SHARDWAY_TEST_SWITCHES contains none of them.
#pragma once

#include <string_view>
#ifdef SHARDWAY_TEST_SWITCHES
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>
#endif

namespace shardway {
inline namespace v0 {

#ifdef SHARDWAY_TEST_SWITCHES

namespace stop_points {

enum class action { kill, pause, error };

struct selection {
  std::string name;
  action what = action::kill;
  unsigned nth = 1;  ///< acts only when the point is passed for the nth time
  unsigned passed = 0;
};

inline std::atomic<bool> is_quiet{false};  // true once it is known that nothing is selected
inline std::mutex guard;
inline std::vector<selection> selected;
inline bool was_read = false;

[[noreturn]] inline void refuse(std::string_view text, char const* why) {
  std::fprintf(stderr, "stop points: '%.*s': %s\n", static_cast<int>(text.size()), text.data(), why);
  std::abort();
}

inline selection parse_one(std::string_view text) {
  auto const next = [rest = text]() mutable {
    auto const colon = rest.find(':');
    auto const word = rest.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view{} : rest.substr(colon + 1);
    return word;
  };
  auto reader = next;
  selection chosen{.name = std::string(reader())};
  for (auto word = reader(); !word.empty(); word = reader()) {
    if (word == "kill")
      chosen.what = action::kill;
    else if (word == "pause")
      chosen.what = action::pause;
    else if (word == "error")
      chosen.what = action::error;
    else if (std::from_chars(word.data(), word.data() + word.size(), chosen.nth).ptr !=
                 word.data() + word.size() ||
             chosen.nth == 0)
      refuse(text, "expected name[:kill|:pause|:error][:nth]");
  }
  if (chosen.name.empty()) refuse(text, "the name is empty");
  return chosen;
}

/// Selects stop points as the environment variable would ("" selects none). For tests that run the library
/// in their own process.
inline void select(std::string_view text) {
  std::vector<selection> parsed;
  while (!text.empty()) {
    auto const comma = text.find(',');
    parsed.push_back(parse_one(text.substr(0, comma)));
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
  }
  std::scoped_lock const lock(guard);
  selected = std::move(parsed);
  was_read = true;
  is_quiet.store(selected.empty(), std::memory_order_relaxed);
}

// The file appears complete: a test that sees it can read it at once.
inline void announce(std::string const& name, char const* file) {
  std::string const fresh = std::string(file) + ".new";
  int const fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  bool const written = fd >= 0 && ::write(fd, name.data(), name.size()) == static_cast<ssize_t>(name.size());
  if (fd >= 0) ::close(fd);
  if (!written || ::rename(fresh.c_str(), file) != 0) refuse(name, "SHARDWAY_STOP_FILE can't be written");
}

inline void act(action what, std::string const& name) {
  char const* file = std::getenv("SHARDWAY_STOP_FILE");
  if (what == action::pause && !file) refuse(name, "pause needs SHARDWAY_STOP_FILE");
  if (file) announce(name, file);
  if (what == action::kill) ::kill(::getpid(), SIGKILL);
  while (what == action::pause && ::access(file, F_OK) == 0) ::usleep(5000);
}

inline bool pass(std::string_view name) {
  action what{};
  {
    std::unique_lock lock(guard);
    if (!was_read) {
      lock.unlock();
      char const* listed = std::getenv("SHARDWAY_STOP_POINT");
      select(listed ? listed : "");
      lock.lock();
    }
    selection* hit = nullptr;
    for (auto& candidate : selected)
      if (candidate.name == name && ++candidate.passed == candidate.nth) hit = &candidate;
    if (!hit) return false;
    what = hit->what;
  }
  act(what, std::string(name));
  return what == action::error;
}

}  // namespace stop_points

/// Passes the named place. Returns true if a test selected it with `:error`: the caller then returns an error
/// as if the next step had failed.
///
/// SHARDWAY_STOP_POINT=NAME[:kill|:pause|:error][:nth][,...] selects points. `kill` is the default; it sends
/// SIGKILL to this process. The library first writes the name to the file named by SHARDWAY_STOP_FILE.
/// `pause` then waits until a test removes that file.
///
/// Thread safety: safe. Cost: one relaxed load when nothing is selected; nothing in a build without
/// SHARDWAY_TEST_SWITCHES.
inline bool stop_point(std::string_view name) {
  if (stop_points::is_quiet.load(std::memory_order_relaxed)) return false;
  return stop_points::pass(name);
}

#else
constexpr bool stop_point(std::string_view) noexcept { return false; }
#endif

}  // namespace v0
}  // namespace shardway
