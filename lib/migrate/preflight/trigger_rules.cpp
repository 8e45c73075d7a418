// Triggers that reach into other tables. The text of a function is all that can be known beforehand.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "lib/migrate/preflight/rules.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {
namespace {

bool is_word(char c) { return absl::ascii_isalnum(c) || c == '_' || c == '$' || (c & 0x80) != 0; }

/// The words of a text. Names without quotes are folded, as SQL folds them; so both forms are kept.
std::unordered_set<std::string> words_of(std::string_view text) {
  std::unordered_set<std::string> out;
  while (!text.empty()) {
    auto const begin = std::find_if(text.begin(), text.end(), is_word);
    auto const end = std::find_if_not(begin, text.end(), is_word);
    if (begin != end) {
      std::string word(begin, end);
      out.insert(absl::AsciiStrToLower(word));
      out.insert(std::move(word));
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.begin()));
  }
  return out;
}

std::string bare_name(std::string const& table) { return table.substr(table.find('.') + 1); }

}  // namespace

std::vector<std::string> mentioned_tables(std::string_view source,
                                          std::vector<table_manifest> const& tables) {
  std::vector<std::string> out;
  auto const words = words_of(source);
  for (auto const& table : tables) {
    auto const bare = bare_name(table.table);
    bool const is_one_word = std::all_of(bare.begin(), bare.end(), is_word);
    if (is_one_word ? words.contains(bare) : source.find(bare) != source.npos) out.push_back(table.table);
  }
  return out;
}

void note_mentions(source_facts& source, std::vector<table_manifest> const& tables) {
  std::unordered_map<std::string, std::vector<std::string>> known;  // by text: many triggers share a function
  for (auto& trigger : source.triggers) {
    if (trigger.is_ours || trigger.function.source.empty()) continue;
    auto const [found, is_new] = known.try_emplace(trigger.function.source);
    if (is_new) found->second = mentioned_tables(trigger.function.source, tables);
    trigger.mentions = found->second;
  }
}

// A trigger whose function names another onboarded table probably writes it.
void check_triggers(table_case const& table, finding_list& out) {
  bool clean = true;
  for (auto const& trigger : table.source.triggers) {
    if (trigger.is_ours || trigger.table != table.name()) continue;
    clean = false;
    auto const subject = absl::StrCat(trigger.name, " on ", trigger.relation);
    std::vector<std::string> others;
    for (auto const& name : trigger.mentions)
      if (name != table.name()) others.push_back(name);
    if (others.empty())
      out.pass("trigger", subject,
               table.manifest.triggers == trigger_policy::source_only
                   ? "stays on the source"
                   : "runs where the row has its authority");
    else
      out.warn("trigger", subject,
               absl::StrCat("its function names ", absl::StrJoin(others, ", "),
                            ": if it changes rows there with another shard key, the wave is refused"),
               "move that write into the application, or make sure that both rows share the shard key");
  }
  if (clean) out.pass("trigger", table.name(), "none");
}

void check_outside_triggers(table_case const& table, finding_list& out) {
  bool clean = true;
  for (auto const& trigger : table.source.triggers) {
    if (trigger.is_ours || table.find(trigger.table)) continue;
    if (std::find(trigger.mentions.begin(), trigger.mentions.end(), table.name()) == trigger.mentions.end())
      continue;
    clean = false;
    out.warn("trigger_into", absl::StrCat(trigger.name, " on ", trigger.relation),
             "its function names " + table.name() + ": the write guard will refuse what it writes there",
             "move that write into the application");
  }
  if (clean) out.pass("trigger_into", table.name(), "no trigger of another table names it");
}

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
