#include <google/protobuf/util/json_util.h>

#include "lib/manifest/convert.hpp"
#include "shardway/base/ensure.hpp"

namespace shardway {
inline namespace v0 {

std::string encode(generation const& current) {
  std::string document;
  auto const status = google::protobuf::util::MessageToJsonString(to_message(current), &document);
  ensure(status.ok(), "a generation has a JSON form: names are valid UTF-8");
  return document;
}

result<generation> decode_generation(std::string_view document) {
  files::Generation message;
  auto const status =
      google::protobuf::util::JsonStringToMessage({document.data(), document.size()}, &message);
  if (!status.ok())
    return error{error_code::corrupt_data,
                 "a generation cannot be read: the document is not JSON of this version's form",
                 "upgrade the library if the generation was published by a newer one"};
  return from_message(message);
}

}  // namespace v0
}  // namespace shardway
