#include "lib/testing/wire_framing.hpp"

#include <cstdint>
#include <utility>

namespace shardway {
inline namespace v0 {
namespace testing {

namespace {

constexpr std::uint32_t ssl_request = 80877103;
constexpr std::uint32_t gss_request = 80877104;
constexpr std::uint32_t cancel_request = 80877102;

std::uint32_t number_at(std::string_view bytes, std::size_t offset) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i) number = number << 8 | static_cast<unsigned char>(bytes[offset + i]);
  return number;
}

std::string_view until_zero(std::string_view text) { return text.substr(0, text.find('\0')); }

}  // namespace

std::string_view wire_message::text() const {
  if (bytes.size() < 5 || (type != 'C' && type != 'Q' && type != 'P')) return {};
  auto const body = std::string_view(bytes).substr(5);
  if (type != 'P') return until_zero(body);
  auto const end_of_name = body.find('\0');
  return end_of_name == std::string_view::npos ? std::string_view{}
                                               : until_zero(body.substr(end_of_name + 1));
}

bool wire_message::asks_for_encryption() const {
  if (type != startup_type) return false;
  auto const code = number_at(bytes, 4);
  return code == ssl_request || code == gss_request;
}

bool wire_message::is_startup() const {
  return type == startup_type && !asks_for_encryption() && number_at(bytes, 4) != cancel_request;
}

std::optional<wire_message> message_splitter::next() {
  if (buffer_.empty()) return std::nullopt;
  std::size_t size = 0;
  char type = startup_type;
  if (answers_due_ > 0) {
    --answers_due_;
    type = answer_type;
    size = 1;
  } else {
    std::size_t const header = is_untyped_ ? 0 : 1;
    if (buffer_.size() < header + 4) return std::nullopt;
    if (!is_untyped_) type = buffer_.front();
    size = header + number_at(buffer_, header);
    if (is_untyped_ && size < 8) size = buffer_.size();  // not this protocol: forwarded as it is
  }
  if (buffer_.size() < size) return std::nullopt;
  wire_message message{type, buffer_.substr(0, size)};
  buffer_.erase(0, size);
  if (is_untyped_ && message.bytes.size() >= 8 && message.is_startup()) is_untyped_ = false;
  return message;
}

std::string message_splitter::take_rest() { return std::exchange(buffer_, {}); }

}  // namespace testing
}  // namespace v0
}  // namespace shardway
