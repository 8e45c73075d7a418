#include "lib/migrate/preflight/object_text.hpp"

#include <algorithm>
#include <array>

#include <absl/strings/ascii.h>
#include <absl/strings/str_split.h>

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {
namespace {

struct token {
  std::string text;  // folded to lower case unless it was quoted
  bool is_name{}, is_quoted{};
};

bool starts_name(char c) {
  return absl::ascii_isalpha(static_cast<unsigned char>(c)) || c == '_' ||
         static_cast<unsigned char>(c) >= 128;
}
bool continues_name(char c) {
  return starts_name(c) || absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '$';
}

class tokenizer {
 public:
  explicit tokenizer(std::string_view text) : text_(text) {}

  std::vector<token> all() {
    std::vector<token> out;
    while (place_ < text_.size()) {
      if (skip_blank() || skip_literal()) continue;
      if (text_[place_] == '"')
        out.push_back({quoted(), true, true});
      else if (starts_name(text_[place_]))
        out.push_back({absl::AsciiStrToLower(name()), true, false});
      else
        out.push_back({symbol(), false, false});
    }
    return out;
  }

 private:
  bool starts_with(std::string_view what) const { return text_.substr(place_).starts_with(what); }

  bool skip_blank() {
    if (absl::ascii_isspace(static_cast<unsigned char>(text_[place_]))) {
      ++place_;
      return true;
    }
    if (starts_with("--")) {
      place_ = std::min(text_.find('\n', place_), text_.size());
      return true;
    }
    if (!starts_with("/*")) return false;
    skip_comment();
    return true;
  }
  void skip_comment() {
    for (int depth = 0; place_ < text_.size();) {
      if (starts_with("/*")) {
        ++depth;
        place_ += 2;
      } else if (starts_with("*/")) {
        place_ += 2;
        if (--depth == 0) return;
      } else {
        ++place_;
      }
    }
  }
  bool skip_literal() {
    char const c = text_[place_];
    bool const escaped = (c == 'e' || c == 'E') && place_ + 1 < text_.size() && text_[place_ + 1] == '\'';
    if (c == '\'' || escaped) {
      if (escaped) ++place_;
      skip_string(escaped);
      return true;
    }
    return c == '$' && skip_dollars();
  }
  void skip_string(bool escaped) {
    for (++place_; place_ < text_.size(); ++place_) {
      if (escaped && text_[place_] == '\\') {
        ++place_;
      } else if (text_[place_] == '\'') {
        if (place_ + 1 >= text_.size() || text_[place_ + 1] != '\'') break;
        ++place_;
      }
    }
    place_ = std::min(place_ + 1, text_.size());
  }
  bool skip_dollars() {
    auto end = place_ + 1;
    while (end < text_.size() && text_[end] != '$' && continues_name(text_[end])) ++end;
    if (end >= text_.size() || text_[end] != '$') return false;
    if (end > place_ + 1 && absl::ascii_isdigit(static_cast<unsigned char>(text_[place_ + 1]))) return false;
    auto const tag = text_.substr(place_, end - place_ + 1);
    auto const closed = text_.find(tag, end + 1);
    place_ = closed == std::string_view::npos ? text_.size() : closed + tag.size();
    return true;
  }
  std::string quoted() {
    std::string out;
    for (++place_; place_ < text_.size(); ++place_) {
      if (text_[place_] != '"') {
        out += text_[place_];
      } else if (place_ + 1 < text_.size() && text_[place_ + 1] == '"') {
        out += text_[place_++];
      } else {
        break;
      }
    }
    place_ = std::min(place_ + 1, text_.size());
    return out;
  }
  std::string name() {
    auto const start = place_;
    while (place_ < text_.size() && continues_name(text_[place_])) ++place_;
    return std::string(text_.substr(start, place_ - start));
  }
  std::string symbol() {
    if (starts_with(":=")) {
      place_ += 2;
      return ":=";
    }
    return std::string(1, text_[place_++]);
  }

  std::string_view text_;
  std::size_t place_{};
};

template <class Words>
bool is_one_of(std::string_view word, Words const& words) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

class reader {
 public:
  explicit reader(std::vector<token> tokens) : tokens_(std::move(tokens)) {}

  body_text read() {
    for (place_ = 0; place_ < tokens_.size(); ++place_) {
      if (!tokens_[place_].is_name) continue;
      read_call();
      if (tokens_[place_].is_quoted) continue;
      read_write();
      read_source();
      read_assignment();
      read_effect();
    }
    return std::move(out_);
  }

 private:
  std::string_view word(std::size_t place) const {
    return place < tokens_.size() && !tokens_[place].is_quoted ? std::string_view(tokens_[place].text)
                                                               : std::string_view{};
  }
  std::string_view here() const { return word(place_); }
  std::string_view before() const { return place_ == 0 ? std::string_view{} : word(place_ - 1); }
  std::string_view next(std::size_t by = 1) const { return word(place_ + by); }

  // The name at a place; `place` moves behind it. No name: empty.
  object_name name_at(std::size_t& place) const {
    while (word(place) == "only" || word(place) == "table") ++place;
    if (place >= tokens_.size() || !tokens_[place].is_name) return {};
    auto first = tokens_[place++].text;
    if (word(place) != "." || place + 1 >= tokens_.size() || !tokens_[place + 1].is_name) return {{}, first};
    place += 2;
    return {std::move(first), tokens_[place - 1].text};
  }

  // name(, name)*. What a read calls before a parenthesis is a function; a write has its columns there.
  void take_list(std::set<object_name>& target, std::size_t place, bool is_write) const {
    for (;;) {
      auto name = name_at(place);
      if (name.name.empty()) return;
      if (is_write || word(place) != "(") target.insert(std::move(name));
      if (word(place) == "as") ++place;
      if (place < tokens_.size() && tokens_[place].is_name && word(place + 1) == ",") ++place;
      if (word(place) != ",") return;
      ++place;
    }
  }

  void read_write() {
    bool const into = here() == "into" && (before() == "insert" || before() == "merge");
    bool const deletes = here() == "from" && before() == "delete";
    bool const plain = is_one_of(here(), std::array{"update", "truncate", "copy"}) && before() != "for" &&
                       before() != "do" && before() != "on";
    if (into || deletes || plain) take_list(out_.written, place_ + 1, true);
  }

  void read_source() {
    if (here() == "from" && before() != "delete" && before() != "distinct")
      take_list(out_.read, place_ + 1, false);
    if (here() == "join" || here() == "using") take_list(out_.read, place_ + 1, false);
  }

  void read_call() {
    if (next() != "(" || place_ + 1 >= tokens_.size() || tokens_[place_ + 1].is_name) return;
    if (before() == "." && place_ >= 2 && tokens_[place_ - 2].is_name)
      out_.called.insert({tokens_[place_ - 2].text, tokens_[place_].text});
    else
      out_.called.insert({{}, tokens_[place_].text});
  }

  void read_assignment() {
    if (here() != "new") return;
    bool const at_start =
        place_ == 0 || is_one_of(before(), std::array{";", "begin", "then", "else", "loop"});
    if (next() == ":=" || (at_start && next() == "=") || (before() == "into" && next() != ".")) {
      out_.assigned.insert("*");
      return;
    }
    if (next() != "." || place_ + 3 >= tokens_.size()) return;
    if (next(3) == ":=" || before() == "into" || (at_start && next(3) == "="))
      out_.assigned.insert(tokens_[place_ + 2].text);
  }

  void read_effect() {
    if (here() == "execute" && before() != "grant" && before() != "revoke" && next() != "function" &&
        next() != "procedure")
      out_.is_dynamic = true;
    if (here() == "pg_notify" || (here() == "notify" && (place_ == 0 || before() != ".")))
      out_.notifies = true;
  }

  std::vector<token> tokens_;
  std::size_t place_{};
  body_text out_;
};

}  // namespace

body_text read_body(std::string_view body) { return reader(tokenizer(body).all()).read(); }

std::vector<std::string> node_local_calls(body_text const& body) {
  static constexpr std::array names{"currtid2",
                                    "inet_server_addr",
                                    "inet_server_port",
                                    "pg_backend_pid",
                                    "pg_current_snapshot",
                                    "pg_current_wal_lsn",
                                    "pg_current_wal_insert_lsn",
                                    "pg_current_xact_id",
                                    "pg_current_xact_id_if_assigned",
                                    "pg_current_wal_flush_lsn",
                                    "txid_current",
                                    "txid_current_if_assigned",
                                    "txid_current_snapshot",
                                    "lo_create",
                                    "lo_creat",
                                    "lo_from_bytea",
                                    "lo_import",
                                    "pg_export_snapshot"};
  std::vector<std::string> out;
  for (auto const& call : body.called)
    if ((call.schema.empty() || call.schema == "pg_catalog") && is_one_of(call.name, names))
      out.push_back(call.name);
  return out;
}

std::vector<std::string> schemas_of_path(std::string_view search_path) {
  std::vector<std::string> out;
  for (auto const& one : tokenizer(search_path).all())
    if (one.is_name && one.text != "$user") out.push_back(one.text);
  return out;
}

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
