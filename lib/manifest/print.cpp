#include <google/protobuf/text_format.h>

#include "lib/manifest/convert.hpp"
#include "shardway/manifest/codec.hpp"

namespace shardway {
inline namespace v0 {
namespace {

std::string text_of(google::protobuf::Message const& message) {
  google::protobuf::TextFormat::Printer printer;
  printer.SetUseUtf8StringEscaping(true);
  std::string text;
  printer.PrintToString(message, &text);
  return text;
}

}  // namespace

std::string print(table_manifest const& table) {
  table_manifest const usual;
  auto message = to_message(table);
  if (table.mode == usual.mode && table.budget == usual.budget) message.clear_dual_write();
  if (table.ids == usual.ids && !table.ids_given && table.id_stride == usual.id_stride &&
      table.id_block == usual.id_block)
    message.clear_ids();
  if (table.reads == usual.reads) message.clear_reads();
  return text_of(message);
}

std::string print(migration_manifest const& migration) { return text_of(to_message(migration)); }

}  // namespace v0
}  // namespace shardway
