#include "lib/testing/system_identifier.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <random>
#include <vector>

namespace shardway {
inline namespace v0 {
namespace testing {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t control_size_min = 200;     // the check value comes after at least this many bytes
constexpr std::size_t control_size_max = 512;     // what PostgreSQL promises to keep within one sector
constexpr std::streamoff identifier_in_wal = 24;  // in the long header of a segment's first page

// CRC-32C, reflected polynomial 0x82F63B78.
std::uint32_t crc32c(char const* bytes, std::size_t count) {
  std::uint32_t value = 0xFFFFFFFFu;
  for (std::size_t i = 0; i < count; ++i) {
    value ^= static_cast<unsigned char>(bytes[i]);
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ (0x82F63B78u & (0u - (value & 1u)));
  }
  return ~value;
}

std::uint32_t word_at(std::vector<char> const& bytes, std::size_t offset) {
  std::uint32_t word = 0;
  std::memcpy(&word, bytes.data() + offset, sizeof word);
  return word;
}

// The position of the check value differs between versions. It is the only place whose value is the checksum
// of all bytes before it.
std::size_t find_check_value(std::vector<char> const& control) {
  for (std::size_t offset = control_size_min; offset + 4 <= control_size_max; offset += 4)
    if (word_at(control, offset) == crc32c(control.data(), offset)) return offset;
  return 0;
}

bool overwrite(fs::path const& file, std::streamoff offset, char const* bytes, std::size_t count) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(offset);
  stream.write(bytes, static_cast<std::streamsize>(count));
  return static_cast<bool>(stream.flush());
}

std::uint64_t fresh_identifier() {
  std::random_device entropy;
  return (std::uint64_t{entropy()} << 32 | entropy()) >> 1 | std::uint64_t{1} << 62;
}

}  // namespace

result<void> renew_system_identifier(fs::path const& data) {
  auto const control_file = data / "global" / "pg_control";
  std::vector<char> control(control_size_max);
  std::ifstream(control_file, std::ios::binary).read(control.data(), control_size_max);
  auto const check_offset = find_check_value(control);
  if (check_offset == 0)
    return error{error_code::corrupt_data, "pg_control of a new data folder has no valid check value"};
  auto const identifier = fresh_identifier();
  std::memcpy(control.data(), &identifier, sizeof identifier);
  auto const check = crc32c(control.data(), check_offset);
  std::memcpy(control.data() + check_offset, &check, sizeof check);
  bool written = overwrite(control_file, 0, control.data(), control.size());
  for (auto const& segment : fs::directory_iterator(data / "pg_wal"))
    if (segment.is_regular_file())
      written = written && overwrite(segment.path(), identifier_in_wal,
                                     reinterpret_cast<char const*>(&identifier), sizeof identifier);
  if (!written)
    return error{error_code::precondition_failed,
                 "the system identifier of a new data folder can't be written"};
  return success();
}

}  // namespace testing
}  // namespace v0
}  // namespace shardway
