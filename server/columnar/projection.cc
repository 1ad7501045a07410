#include "columnar/projection.h"

#include <arrow/array.h>
#include <arrow/type.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "columnar/arrow_status.h"
#include "error/error.h"
#include "google/protobuf/descriptor.h"
#include "query/nearest.h"

namespace detente::columnar {
namespace {

using google::protobuf::Descriptor;

bool IsStruct(const Node& node) { return node.kind == Node::Kind::kStruct && !node.list; }

// The nodes from the record down to a column.
using Way = std::vector<const Node*>;

struct Found {
  std::vector<int> places;
  Way way;
};

std::string NameOf(const Way& way) {
  return absl::StrJoin(way, ".", [](std::string* out, const Node* node) {
    absl::StrAppend(out, node->arrow->name());
  });
}

// A way and, where `flat`, those to all that is below it.
void Spread(const Found& found, bool flat, std::vector<Found>* out) {
  const Node& last = *found.way.back();
  if (!flat || !IsStruct(last)) {
    out->push_back(found);
    return;
  }
  for (size_t i = 0; i < last.children.size(); ++i) {
    Found below = found;
    below.places.push_back(static_cast<int>(i));
    below.way.push_back(&last.children[i]);
    Spread(below, flat, out);
  }
}

// What is wrong with a path; empty where it leads to a column.
std::string Find(const Descriptor* type, const std::vector<Node>& nodes, const std::string& path,
                 Found* found) {
  const std::vector<Node>* level = &nodes;
  for (const absl::string_view name : absl::StrSplit(path, '.')) {
    const Node* last = found->way.empty() ? nullptr : found->way.back();
    if (last != nullptr && !IsStruct(*last)) {
      const std::string outer = NameOf(found->way);
      if (!last->list && last->kind != Node::Kind::kMap) {
        return absl::StrCat("`", outer, "` has no fields");
      }
      return absl::StrCat("`", outer, "` is repeated: a column is the whole of it, `", outer, "`");
    }
    const auto node = std::find_if(level->begin(), level->end(),
                                   [&](const Node& n) { return n.field->name() == name; });
    if (node == level->end()) {
      const Descriptor* of = last == nullptr ? type : last->field->message_type();
      const std::string nearest = query::NearestField(of, name);
      return absl::StrCat(of->name(), " has no field `", name.substr(0, 64), "`",
                          nearest.empty() ? "" : "; did you mean `", nearest,
                          nearest.empty() ? "" : "`?");
    }
    found->places.push_back(static_cast<int>(node - level->begin()));
    found->way.push_back(&*node);
    level = &node->children;
  }
  return "";
}

}  // namespace

absl::StatusOr<Projection> Projection::Parse(const Descriptor* type, const std::vector<Node>& nodes,
                                             absl::Span<const std::string* const> columns,
                                             bool flat) {
  if (columns.size() > kMaxColumns) {
    return InvalidFields(
        {{"columns", absl::StrCat("at most ", kMaxColumns, ", got ", columns.size())}},
        v1::LIMIT_EXCEEDED);
  }
  std::vector<Found> all;
  if (columns.empty()) {
    for (size_t i = 0; i < nodes.size(); ++i) {
      Spread({{static_cast<int>(i)}, {&nodes[i]}}, flat, &all);
    }
  }
  std::vector<Violation> violations;
  std::set<std::string> names;
  for (size_t i = 0; i < columns.size(); ++i) {
    Found found;
    std::string wrong = Find(type, nodes, *columns[i], &found);
    const size_t before = all.size();
    if (wrong.empty()) Spread(found, flat, &all);
    for (size_t column = before; column < all.size() && wrong.empty(); ++column) {
      const std::string name = NameOf(all[column].way);
      if (!names.insert(name).second) wrong = absl::StrCat("`", name, "` is a column already");
    }
    if (!wrong.empty()) violations.push_back({absl::StrCat("columns[", i, "]"), wrong});
  }
  if (!violations.empty()) return InvalidFields(violations);
  Projection projection;
  for (Found& found : all) {
    // Below an absent message everything is null.
    const bool nullable = std::any_of(found.way.begin(), found.way.end(),
                                      [](const Node* node) { return node->arrow->nullable(); });
    auto field = arrow::field(NameOf(found.way), found.way.back()->arrow->type(), nullable);
    const int top = found.places[0];
    found.places.erase(found.places.begin());
    projection.Add(top, std::move(found.places), std::move(field));
  }
  return projection;
}

void Projection::Add(int field, std::vector<int> below, std::shared_ptr<arrow::Field> type) {
  auto known = std::find(fields_.begin(), fields_.end(), field);
  if (known == fields_.end()) known = fields_.insert(fields_.end(), field);
  columns_.push_back({static_cast<size_t>(known - fields_.begin()), std::move(below)});
  types_.push_back(std::move(type));
}

absl::StatusOr<std::vector<std::shared_ptr<arrow::Array>>> Projection::Project(
    absl::Span<const std::shared_ptr<arrow::Array>> fields) const {
  std::vector<std::shared_ptr<arrow::Array>> columns;
  columns.reserve(columns_.size());
  for (const Column& column : columns_) {
    std::shared_ptr<arrow::Array> array = fields[column.field];
    for (const int child : column.below) {
      auto below = static_cast<const arrow::StructArray&>(*array).GetFlattenedField(child);
      DETENTE_ARROW_RETURN(below.status());
      array = *std::move(below);
    }
    columns.push_back(std::move(array));
  }
  return columns;
}

}  // namespace detente::columnar
