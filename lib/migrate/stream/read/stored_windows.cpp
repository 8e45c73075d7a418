#include "lib/migrate/stream/read/stored_windows.hpp"

#include <vector>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "shardway/catalog/status.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {
namespace {

std::optional<std::vector<std::string>> texts_of(nlohmann::json const& list) {
  std::vector<std::string> texts;
  if (!list.is_array()) return std::nullopt;
  for (auto const& element : list) {
    if (!element.is_string()) return std::nullopt;
    texts.push_back(element.get<std::string>());
  }
  return texts;
}

}  // namespace

std::string encode_windows(window_history const& history, std::optional<lsn> confirmed,
                           std::map<std::string, std::string> const& paused) {
  nlohmann::json document{{"history", history.encode()}};
  if (!paused.empty()) document["paused"] = paused;
  if (confirmed) document["confirmed"] = confirmed->to_string();
  return document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);  // never throws
}

std::optional<stored_windows> decode_windows(std::string_view document) {
  auto const json = nlohmann::json::parse(document, nullptr, false);
  if (!json.is_object() || !json.contains("history")) return std::nullopt;
  auto const lines = texts_of(json["history"]);
  auto history = lines ? window_history::decode(*lines) : std::nullopt;
  if (!history) return std::nullopt;
  stored_windows windows{.history = std::move(*history)};
  if (auto const confirmed = json.find("confirmed"); confirmed != json.end()) {
    windows.confirmed = confirmed->is_string() ? lsn::parse(confirmed->get<std::string>()) : std::nullopt;
    if (!windows.confirmed) return std::nullopt;
  }
  if (auto const paused = json.find("paused"); paused != json.end()) {
    if (!paused->is_object()) return std::nullopt;
    for (auto const& [group, reason] : paused->items()) {
      if (!reason.is_string()) return std::nullopt;
      windows.paused.emplace(group, reason.get<std::string>());
    }
  }
  return windows;
}

result<stored_windows> load_windows(session& catalog, std::string const& name) {
  BOOST_OUTCOME_TRY(auto const found, get_status(catalog, name));
  if (!found) return stored_windows{};
  auto windows = decode_windows(found->document);
  if (!windows)
    return error{error_code::corrupt_data, "shardway.status holds windows that do not parse",
                 absl::StrCat("restore the row '", name, "', or copy the tables again")}
        .at_node(catalog.identity().name);
  return std::move(*windows);
}

result<> save_windows(session& catalog, std::int64_t token, std::string const& name,
                      std::string_view document) {
  auto const saved = put_status(catalog, token, name, document);
  if (!saved) return saved.error().while_doing("saving the windows of a stream");
  return success();
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
