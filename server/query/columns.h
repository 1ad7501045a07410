// What a store keeps beside a record's payload so that it can be found: which columns and lists a
// resource has, all from its descriptor, and their values in a record.
//
// A column for each field that is neither repeated nor below a repeated one: numbers, enums (by
// number), bools, texts, times (microseconds since 1970), durations (microseconds), whole dates
// (days since 1970); of an uncertain date its bounds, its text and its state. A field below a
// message that is absent has no value; one without presence has its default otherwise. Fields 1 to
// 7 are columns of the row: store::RowColumn.
//
// Texts of more than 64 KiB have no column.
//
// A list for each repeated field, or field below one, that has few or telling values: enums,
// references, codes, names and external ids. Not for maps. It lacks values that are not set (zero,
// the empty text) and texts of more than kMaxListedBytes.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "query/path.h"
#include "store/table.h"

namespace detente::query {

constexpr size_t kMaxListedBytes = 128;

// The bounds of a date that has readings, but no bound.
constexpr int64_t kUnboundedEarliest = INT64_MIN / 4;
constexpr int64_t kUnboundedLatest = INT64_MAX / 4;

class Columns {
 public:
  // `collection` is the resource's.
  Columns(const google::protobuf::Descriptor* type, absl::string_view collection);
  ~Columns();
  Columns(const Columns&) = delete;

  const store::Table& table() const { return table_; }

  // The column of a field, by the fields that lead to it; a RowColumn for fields 1 to 7 (of `name`
  // kRowId, whose values lack the collection; `etag` has none). Below an uncertain date: its
  // `earliest`, `latest`, `edtf` and `state`.
  std::optional<int> FindColumn(
      const std::vector<const google::protobuf::FieldDescriptor*>& path) const;
  std::optional<int> FindList(
      const std::vector<const google::protobuf::FieldDescriptor*>& path) const;

  // Fields 1 to 7 are not looked at.
  store::Derived Derive(const google::protobuf::Message& record) const;
  // Of that the value of one column of the table.
  store::Value ValueOf(const google::protobuf::Message& record, int column) const;

 private:
  struct Node;  // what is derived of one field
  using FieldPath = std::vector<const google::protobuf::FieldDescriptor*>;

  std::vector<std::unique_ptr<Node>> Walk(const google::protobuf::Descriptor* type, FieldPath* path,
                                          bool listed);
  void AddColumn(const FieldPath& path, const std::string& name, Node* node);
  void AddDate(const FieldPath& path, Node* node);
  void AddList(const FieldPath& path, Node* node);
  // Texts that are not indexed come last, so that long ones stand in no other column's way.
  void OrderColumns(std::vector<std::unique_ptr<Node>>* nodes);
  static void DeriveBelow(const google::protobuf::Message& message,
                          const std::vector<std::unique_ptr<Node>>& nodes, store::Derived* derived);

  const google::protobuf::Descriptor* const type_;
  store::Table table_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::map<FieldPath, int> columns_;
  std::vector<FieldPath> paths_;  // by column
  std::map<FieldPath, int> lists_;
};

// The texts that a record is named by, in the order of the fields: display_name, title, and the
// full, given, patronymic and family name of each of its `names`.
std::vector<std::string> NamesOf(const google::protobuf::Message& record);

}  // namespace detente::query
