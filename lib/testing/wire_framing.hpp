// Splits one direction of a PostgreSQL connection into its messages.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace shardway {
inline namespace v0 {
namespace testing {

constexpr char startup_type = '\1';  // a startup, cancel or encryption request: they have no type byte
constexpr char answer_type = '\2';   // the single byte that answers an encryption request

struct wire_message {
  char type = 0;
  std::string bytes;  // as on the wire, with type and length

  /// The command tag of a CommandComplete, the SQL of a Query or Parse; otherwise empty.
  std::string_view text() const;
  bool asks_for_encryption() const;  // SSLRequest or GSSENCRequest
  bool is_startup() const;           // the real startup packet: typed messages follow
};

class message_splitter {
 public:
  explicit message_splitter(bool from_client) : is_untyped_(from_client) {}
  void feed(std::string_view bytes) { buffer_.append(bytes); }
  void expect_answer() { ++answers_due_; }
  std::optional<wire_message> next();
  bool is_empty() const { return buffer_.empty(); }
  std::string take_rest();  // an unfinished message at the end of the stream

 private:
  std::string buffer_;
  bool is_untyped_;
  unsigned answers_due_ = 0;
};

}  // namespace testing
}  // namespace v0
}  // namespace shardway
