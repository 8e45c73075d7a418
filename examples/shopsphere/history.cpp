#include "history.hpp"

namespace shopsphere {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char const c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20)
      out += ' ';
    else
      out += c;
  }
  return out + "\"";
}

void json_object::name_of(std::string_view name) {
  if (body_.size() > 1) body_ += ',';
  body_ += '"';
  body_ += name;
  body_ += "\":";
}

json_object& json_object::text(std::string_view name, std::string_view content) {
  return raw(name, quoted(content));
}
json_object& json_object::number(std::string_view name, std::int64_t content) {
  return raw(name, std::to_string(content));
}
json_object& json_object::flag(std::string_view name, bool content) {
  return raw(name, content ? "true" : "false");
}

json_object& json_object::raw(std::string_view name, std::string_view json) {
  name_of(name);
  body_ += json;
  return *this;
}

std::unique_ptr<history> history::open(std::string const& folder, unsigned thread) {
  auto const path = folder + "/client-" + std::to_string(thread) + ".jsonl";
  std::FILE* const file = std::fopen(path.c_str(), "ae");
  if (file) return std::unique_ptr<history>(new history(file));
  std::perror(path.c_str());
  return nullptr;
}

void history::write(std::string line) {
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), file_);
  std::fflush(file_);
}

}  // namespace shopsphere
