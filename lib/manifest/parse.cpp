// Text to structs, with the place of every field.
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include "lib/manifest/convert.hpp"
#include "lib/manifest/rules.hpp"
#include "shardway/manifest/codec.hpp"
#include "shardway/manifest/validate.hpp"

namespace shardway {
inline namespace v0 {
namespace {

namespace pb = google::protobuf;

/// Turns the parser's errors and warnings (unknown fields and values) into findings.
class collector final : public pb::io::ErrorCollector {
 public:
  collector(std::string file, std::vector<manifest_finding>& findings)
      : file_(std::move(file)), findings_(&findings) {}

#if GOOGLE_PROTOBUF_VERSION >= 5026000
  void RecordError(int line, pb::io::ColumnNumber column, absl::string_view message) override {
    add(line, column, std::string{message});
  }
  void RecordWarning(int line, pb::io::ColumnNumber column, absl::string_view message) override {
    add(line, column, std::string{message});
  }
#else
  void AddError(int line, int column, std::string const& message) override { add(line, column, message); }
  void AddWarning(int line, int column, std::string const& message) override { add(line, column, message); }
#endif

 private:
  void add(int line, int column, std::string message) {
    // A message may quote what stands there; a conninfo with a password in the wrong place must not be
    // repeated.
    if (message.find("password") != std::string::npos) message = "the text is not a manifest's here";
    findings_->push_back({"M001", file_, line + 1, column + 1, std::move(message),
                          "docs/MANIFEST.md lists the fields and their values"});
  }

  std::string file_;
  std::vector<manifest_finding>* findings_;
};

using location_tree = pb::TextFormat::ParseInfoTree;

/// Adds the places of a message's own fields, and of messages in it except nodes, under their dotted path:
/// "reads.scatter", "lookup[1].name".
void add_places(pb::Message const& message, location_tree* tree, std::string const& prefix, int index,
                field_positions& positions) {
  if (tree == nullptr) return;
  auto const& reflection = *message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    auto const* field = message.GetDescriptor()->field(i);
    int const count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int item = 0; item < count; ++item) {
      auto const location = tree->GetLocation(field, field->is_repeated() ? item : -1);
      if (location.line < 0) continue;
      positions.add(prefix + std::string{field->name()}, field->is_repeated() ? item : index,
                    {location.line + 1, location.column + 1});
      if (field->message_type() == nullptr || field->message_type() == files::Node::descriptor()) continue;
      auto path = prefix + std::string{field->name()};
      if (!field->is_repeated()) {
        add_places(reflection.GetMessage(message, field), tree->GetTreeForNested(field, -1), path + ".", 0,
                   positions);
        continue;
      }
      path = item_path(path, static_cast<std::size_t>(item));
      positions.add(path, 0, {location.line + 1, location.column + 1});
      add_places(reflection.GetRepeatedMessage(message, field, item), tree->GetTreeForNested(field, item),
                 path + ".", 0, positions);
    }
  }
}

/// Nodes are counted as they stand: the source, its replicas, the first shard, its replicas ...
void add_node_places(files::Node const& node, location_tree* parent, pb::FieldDescriptor const* field,
                     int item, int& index, field_positions& positions) {
  auto const location = parent->GetLocation(field, item);
  if (location.line >= 0) positions.add("node", index, {location.line + 1, location.column + 1});
  auto* tree = parent->GetTreeForNested(field, item);
  add_places(node, tree, "node.", index, positions);
  ++index;
  auto const* replica = files::Node::descriptor()->FindFieldByName("replica");
  for (int i = 0; tree != nullptr && i < node.replica_size(); ++i)
    add_node_places(node.replica(i), tree, replica, i, index, positions);
}

void check_api_version(bool is_there, unsigned version, finder& found) {
  if (is_there && version == 1) return;
  found.add("M002", "api_version", 0,
            is_there ? "api_version is " + std::to_string(version) + ", and this version reads 1"
                     : "the file does not say its api_version",
            "write api_version: 1");
}

void check_enumerations(pb::Message const& message, std::string const& prefix, finder& found);

void check_enumerations_of_list(pb::Message const& message, pb::FieldDescriptor const& field,
                                std::string const& path, finder& found) {
  auto const& reflection = *message.GetReflection();
  for (int item = 0; item < reflection.FieldSize(message, &field); ++item)
    check_enumerations(reflection.GetRepeatedMessage(message, &field, item),
                       item_path(path, static_cast<std::size_t>(item)) + ".", found);
}

/// A value may be written as a number, and the parser keeps one that no name belongs to. No list holds bare
/// enumerations.
void check_enumerations(pb::Message const& message, std::string const& prefix, finder& found) {
  auto const& reflection = *message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    auto const* field = message.GetDescriptor()->field(i);
    auto const path = prefix + std::string{field->name()};
    if (field->is_repeated()) {
      if (field->message_type() != nullptr) check_enumerations_of_list(message, *field, path, found);
    } else if (field->message_type() != nullptr) {
      if (reflection.HasField(message, field))
        check_enumerations(reflection.GetMessage(message, field), path + ".", found);
    } else if (auto const* type = field->enum_type();
               type != nullptr &&
               type->FindValueByNumber(reflection.GetEnumValue(message, field)) == nullptr) {
      found.add("M001", path, 0, path + " has no value of that number",
                "write one of the names that docs/MANIFEST.md lists");
    }
  }
}

/// Reads the text as far as it goes. Says whether it was read to its end: the rules would otherwise blame
/// what stands behind an error.
bool read(std::string_view text, std::string const& file, pb::Message& message, location_tree& tree,
          std::vector<manifest_finding>& findings) {
  collector errors{file, findings};
  pb::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  parser.WriteLocationsTo(&tree);
  parser.AllowUnknownField(true);  // goes on after it: the collector makes a finding of the warning
  parser.SetRecursionLimit(16);
  return parser.ParseFromString({text.data(), text.size()}, &message);
}

/// What both kinds of file have in common, once the places are known.
template <class File, class Message>
void check(File& read_file, Message const& message, bool is_whole) {
  read_file.manifest = from_message(message);
  if (!is_whole) return;
  finder found{read_file.file, read_file.positions};
  check_enumerations(message, "", found);
  check_api_version(message.has_api_version(), message.api_version(), found);
  for (auto& finding : found.take()) read_file.findings.push_back(std::move(finding));
  for (auto& finding : validate(read_file.manifest, read_file.file, read_file.positions))
    read_file.findings.push_back(std::move(finding));
}

}  // namespace

table_file parse_table_manifest(std::string_view text, std::string file) {
  table_file read_file;
  read_file.file = std::move(file);
  files::Table message;
  location_tree tree;
  bool const is_whole = read(text, read_file.file, message, tree, read_file.findings);
  add_places(message, &tree, "", 0, read_file.positions);
  check(read_file, message, is_whole);
  return read_file;
}

migration_file parse_migration_manifest(std::string_view text, std::string file) {
  migration_file read_file;
  read_file.file = std::move(file);
  files::Migration message;
  location_tree tree;
  bool const is_whole = read(text, read_file.file, message, tree, read_file.findings);
  add_places(message, &tree, "", 0, read_file.positions);
  int index = 0;
  auto const& fields = *files::Migration::descriptor();
  if (message.has_source())
    add_node_places(message.source(), &tree, fields.FindFieldByName("source"), -1, index,
                    read_file.positions);
  else
    index = 1;
  for (int i = 0; i < message.shard_size(); ++i)
    add_node_places(message.shard(i), &tree, fields.FindFieldByName("shard"), i, index, read_file.positions);
  check(read_file, message, is_whole);
  return read_file;
}

}  // namespace v0
}  // namespace shardway
