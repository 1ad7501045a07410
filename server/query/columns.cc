#include "query/columns.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "detente/v1/options.pb.h"
#include "detente/v1/values.pb.h"
#include "google/api/resource.pb.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/type/date.pb.h"
#include "query/field.h"
#include "query/texts.h"
#include "store/selection.h"
#include "values/civil_date.h"
#include "values/edtf.h"
#include "values/messages.h"
#include "values/sha256.h"
#include "values/words.h"

namespace detente::query {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using store::Column;
using store::Value;

// Raise it when something here derives otherwise.
constexpr int kDerivation = 1;

constexpr int kLastRowField = 7;  // fields 1 to 7 are the row's

enum class Kind {
  kMessage,
  kRepeatedMessage,
  kDate,         // an UncertainDate
  kTime,         // a Timestamp
  kDuration,     // a Duration
  kCalendarDay,  // a google.type.Date
  kScalar,
  kListed,  // a scalar below a repeated field, or repeated itself
};

bool IsReference(const FieldDescriptor* field) {
  return field->options().HasExtension(google::api::resource_reference);
}

bool IsCode(const FieldDescriptor* field) {
  return absl::EndsWith(field->name(), "_code") || field->name() == "nationalities";
}

bool IsText(const FieldDescriptor* field) { return field->type() == FieldDescriptor::TYPE_STRING; }

std::string NameOf(const std::vector<const FieldDescriptor*>& path) {
  return absl::StrJoin(path, ".", [](std::string* out, const FieldDescriptor* field) {
    absl::StrAppend(out, field->name());
  });
}

Kind ColumnKindOf(const FieldDescriptor* field) {
  switch (KindOf(field)) {
    case ValueKind::kDate:
      return Kind::kDate;
    case ValueKind::kTime:
      return Kind::kTime;
    case ValueKind::kDuration:
      return Kind::kDuration;
    case ValueKind::kDay:
      return Kind::kCalendarDay;
    case ValueKind::kMessage:
      return Kind::kMessage;
    default:
      return Kind::kScalar;
  }
}

bool HasColumn(const FieldDescriptor* field) {
  return field->type() != FieldDescriptor::TYPE_BYTES &&
         !field->options().HasExtension(v1::max_bytes);
}

bool IsIndexed(const FieldDescriptor* field) {
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_ENUM:
      return field->name() != "visibility";
    case FieldDescriptor::CPPTYPE_STRING:
      return IsReference(field) || IsCode(field) || field->name() == "display_name" ||
             field->name() == "title" || field->name() == "number";
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return true;
    default:
      return false;
  }
}

Column::Type TypeOf(const FieldDescriptor* field) {
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return Column::Type::kText;
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return Column::Type::kReal;
    default:
      return Column::Type::kInteger;
  }
}

// Few or telling values.
bool IsListed(const FieldDescriptor* field) {
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM) return true;
  if (!IsText(field)) return false;
  if (IsReference(field) || IsCode(field)) return true;
  const std::string& type = field->containing_type()->full_name();
  const std::string& name = field->name();
  if (type == v1::Name::descriptor()->full_name()) {
    return name == "full" || name == "given" || name == "patronymic" || name == "family";
  }
  return type == v1::ExternalId::descriptor()->full_name() &&
         (name == "authority" || name == "value");
}

// Of a field that is not a message; `index` of a repeated one.
Value ScalarOf(const Message& message, const FieldDescriptor* field, int index = -1) {
  switch (KindOf(field)) {
    case ValueKind::kText:
    case ValueKind::kBytes: {
      const Reflection& of = *message.GetReflection();
      return index < 0 ? of.GetString(message, field) : of.GetRepeatedString(message, field, index);
    }
    case ValueKind::kReal:
      return RealOf(message, field, index);
    default:
      return WholeOf(message, field, index);
  }
}

bool IsDefault(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return text->empty();
  if (const auto* number = std::get_if<int64_t>(&value)) return *number == 0;
  return false;
}

// Days that the date can be, first and last; none where it is no day at all.
void DeriveDate(const v1::UncertainDate& date, Value* earliest, Value* latest) {
  if (date.state() == v1::UncertainDate::UNKNOWN) {
    *earliest = kUnboundedEarliest;
    *latest = kUnboundedLatest;
  }
  if (date.state() != v1::UncertainDate::VALUE) return;
  const auto parsed = values::ParseEdtf(date.edtf());
  if (!parsed.ok()) return;
  *earliest = parsed->earliest ? values::DaysFromCivil(*parsed->earliest) : kUnboundedEarliest;
  *latest = parsed->latest ? values::DaysFromCivil(*parsed->latest) : kUnboundedLatest;
}

// Of a message that is one value.
Value SingleOf(Kind kind, const Message& message) {
  if (kind == Kind::kTime) {
    const auto& time = static_cast<const google::protobuf::Timestamp&>(message);
    return values::MicrosOf(time.seconds(), time.nanos());
  }
  if (kind == Kind::kDuration) {
    const auto& duration = static_cast<const google::protobuf::Duration&>(message);
    return values::MicrosOf(duration.seconds(), duration.nanos());
  }
  const auto& day = static_cast<const google::type::Date&>(message);
  if (!values::IsCivil({day.year(), day.month(), day.day()}) || day.year() == 0) return {};
  return values::DaysOf(day);
}

void AppendWord(absl::string_view word, std::string* out) {
  if (!out->empty()) out->push_back(' ');
  out->append(word.data(), word.size());
}

}  // namespace

struct Columns::Node {
  const FieldDescriptor* field = nullptr;
  Kind kind = Kind::kScalar;
  int position = -1;  // of a date: of its first column
  int state = -1;     // of a date: of that column
  std::vector<std::unique_ptr<Node>> below;
};

Columns::Columns(const Descriptor* type, absl::string_view collection) : type_(type) {
  table_.collection = std::string(collection);
  FieldPath path;
  nodes_ = Walk(type, &path, false);
  OrderColumns(&nodes_);
  paths_.resize(table_.columns.size());
  for (const auto& [way, column] : columns_) paths_[column] = way;
  std::string description =
      absl::StrCat("columns ", kDerivation, " ", values::WordsVersion(), "\n");
  for (const Column& column : table_.columns) {
    absl::StrAppend(&description, column.name, " ", static_cast<int>(column.type), " ",
                    static_cast<int>(column.role), " ", column.indexed, " ",
                    column.default_is_unset, " ", column.empty.index(), "\n");
  }
  for (const std::string& list : table_.lists) absl::StrAppend(&description, list, "\n");
  table_.fingerprint = values::Sha256Hex(description);
}

Columns::~Columns() = default;

std::vector<std::unique_ptr<Columns::Node>> Columns::Walk(const Descriptor* type, FieldPath* path,
                                                          bool listed) {
  std::vector<std::unique_ptr<Node>> nodes;
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (field->is_map() || (path->empty() && field->number() <= kLastRowField)) continue;
    // A message that holds its own type would have no end of columns.
    if (std::any_of(path->begin(), path->end(), [&](const FieldDescriptor* around) {
          return around->message_type() == field->message_type() &&
                 field->message_type() != nullptr;
        })) {
      continue;
    }
    auto node = std::make_unique<Node>();
    node->field = field;
    node->kind = ColumnKindOf(field);
    path->push_back(field);
    const bool repeated = field->is_repeated();
    if (node->kind == Kind::kMessage) {
      if (repeated) node->kind = Kind::kRepeatedMessage;
      node->below = Walk(field->message_type(), path, listed || repeated);
    } else if (node->kind == Kind::kScalar && (listed || repeated)) {
      node->kind = Kind::kListed;
      if (IsListed(field)) AddList(*path, node.get());
    } else if (!listed && !repeated) {
      if (node->kind == Kind::kDate) {
        AddDate(*path, node.get());
      } else if (HasColumn(field)) {
        AddColumn(*path, NameOf(*path), node.get());
      }
    }
    path->pop_back();
    if (node->position >= 0 || !node->below.empty()) nodes.push_back(std::move(node));
  }
  return nodes;
}

void Columns::AddColumn(const FieldPath& path, const std::string& name, Node* node) {
  const FieldDescriptor* field = path.back();
  Column column;
  column.name = name;
  node->position = static_cast<int>(table_.columns.size());
  columns_.emplace(path, node->position);
  if (node->kind == Kind::kScalar) {
    column.type = TypeOf(field);
    column.indexed = IsIndexed(field);
    column.default_is_unset = IsText(field) || field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM;
    if (path.size() == 1 && !field->has_presence()) {
      if (column.type == Column::Type::kText) column.empty = std::string();
      if (column.type == Column::Type::kInteger) column.empty = int64_t{0};
      if (column.type == Column::Type::kReal) column.empty = 0.0;
    }
  } else {
    column.type = Column::Type::kInteger;
    column.indexed = node->kind != Kind::kDuration;
  }
  table_.columns.push_back(std::move(column));
}

void Columns::AddDate(const FieldPath& path, Node* node) {
  node->position = static_cast<int>(table_.columns.size());
  const std::string name = NameOf(path);
  auto add = [&](const char* field, Column column) {
    FieldPath below = path;
    below.push_back(path.back()->message_type()->FindFieldByName(field));
    columns_.emplace(std::move(below), static_cast<int>(table_.columns.size()));
    column.name = absl::StrCat(name, ".", field);
    table_.columns.push_back(std::move(column));
  };
  add("earliest",
      {.type = Column::Type::kInteger, .role = Column::Role::kEarliest, .indexed = true});
  add("latest", {.type = Column::Type::kInteger, .role = Column::Role::kLatest, .indexed = true});
  add("edtf",
      {.type = Column::Type::kText, .role = Column::Role::kReadings, .default_is_unset = true});
  add("state", {.type = Column::Type::kInteger, .default_is_unset = true});
}

void Columns::AddList(const FieldPath& path, Node* node) {
  node->position = static_cast<int>(table_.lists.size());
  lists_.emplace(path, node->position);
  table_.lists.push_back(NameOf(path));
}

void Columns::OrderColumns(std::vector<std::unique_ptr<Node>>* nodes) {
  std::vector<int> order;
  for (const bool last : {false, true}) {
    for (size_t i = 0; i < table_.columns.size(); ++i) {
      const Column& column = table_.columns[i];
      const bool long_text = column.type == Column::Type::kText && !column.indexed &&
                             column.role == Column::Role::kPlain;
      if (long_text == last) order.push_back(static_cast<int>(i));
    }
  }
  std::vector<int> place(order.size());  // new, by old
  std::vector<Column> columns;
  for (const int old : order) {
    place[old] = static_cast<int>(columns.size());
    columns.push_back(std::move(table_.columns[old]));
  }
  table_.columns = std::move(columns);
  for (auto& [path, column] : columns_) column = place[column];
  auto renumber = [&](auto& self, std::vector<std::unique_ptr<Node>>& of) -> void {
    for (auto& node : of) {
      if (node->kind != Kind::kListed && node->position >= 0)
        node->position = place[node->position];
      self(self, node->below);
    }
  };
  renumber(renumber, *nodes);
}

std::optional<int> Columns::FindColumn(const FieldPath& path) const {
  if (path.size() == 1 && path[0]->containing_type() == type_ &&
      path[0]->number() <= kLastRowField) {
    switch (path[0]->number()) {
      case 1:
        return store::kRowId;
      case 2:
        return store::kRowUid;
      case 4:
        return store::kRowRevision;
      case 5:
        return store::kRowCreateTime;
      case 6:
        return store::kRowUpdateTime;
      case 7:
        return store::kRowDeleteTime;
      default:
        return std::nullopt;
    }
  }
  const auto found = columns_.find(path);
  if (found == columns_.end()) return std::nullopt;
  return found->second;
}

std::optional<int> Columns::FindList(const FieldPath& path) const {
  const auto found = lists_.find(path);
  if (found == lists_.end()) return std::nullopt;
  return found->second;
}

void Columns::DeriveBelow(const Message& message, const std::vector<std::unique_ptr<Node>>& nodes,
                          store::Derived* derived) {
  const Reflection* reflection = message.GetReflection();
  for (const auto& node : nodes) {
    const FieldDescriptor* field = node->field;
    if (node->kind == Kind::kListed) {
      auto add = [&](Value value) {
        const auto* text = std::get_if<std::string>(&value);
        if (IsDefault(value) || (text != nullptr && text->size() > kMaxListedBytes)) return;
        derived->lists.emplace_back(node->position, std::move(value));
      };
      if (!field->is_repeated()) add(ScalarOf(message, field));
      if (!field->is_repeated()) continue;
      const int size = reflection->FieldSize(message, field);
      for (int i = 0; i < size; ++i) add(ScalarOf(message, field, i));
      continue;
    }
    if (node->kind == Kind::kRepeatedMessage) {
      const int size = reflection->FieldSize(message, field);
      for (int i = 0; i < size; ++i) {
        DeriveBelow(reflection->GetRepeatedMessage(message, field, i), node->below, derived);
      }
      continue;
    }
    if (field->has_presence() && !reflection->HasField(message, field)) continue;
    Value* out = node->position < 0 ? nullptr : &derived->columns[node->position];
    if (node->kind == Kind::kScalar) {
      *out = ScalarOf(message, field);
      continue;
    }
    const Message& below = reflection->GetMessage(message, field);
    switch (node->kind) {
      case Kind::kTime:
      case Kind::kDuration:
      case Kind::kCalendarDay:
        *out = SingleOf(node->kind, below);
        break;
      case Kind::kDate: {
        const auto& date = static_cast<const v1::UncertainDate&>(below);
        DeriveDate(date, &out[0], &out[1]);
        out[2] = date.edtf();
        out[3] = int64_t{date.state()};
        break;
      }
      default:
        DeriveBelow(below, node->below, derived);
    }
  }
}

store::Derived Columns::Derive(const Message& record) const {
  store::Derived derived;
  derived.columns.resize(table_.columns.size());
  DeriveBelow(record, nodes_, &derived);
  std::sort(derived.lists.begin(), derived.lists.end());
  derived.lists.erase(std::unique(derived.lists.begin(), derived.lists.end()), derived.lists.end());
  VisitTexts(record, [&](absl::string_view text, const TextPlace&, bool name) {
    const auto words = values::WordsOf(text);
    for (size_t i = 0; i < words.size(); ++i) {
      AppendWord(words[i].folded, name ? &derived.names : &derived.texts);
      if (!name) continue;
      for (const std::string& sound : values::SoundsAt(text, words, i)) {
        AppendWord(sound, &derived.sounds);
      }
    }
  });
  return derived;
}

Value Columns::ValueOf(const Message& record, int column) const {
  const FieldPath& path = paths_[column];
  const Message* message = &record;
  for (size_t i = 0; i + 1 < path.size(); ++i) {
    const Reflection* reflection = message->GetReflection();
    if (!reflection->HasField(*message, path[i])) return {};
    message = &reflection->GetMessage(*message, path[i]);
  }
  const FieldDescriptor* field = path.back();
  switch (table_.columns[column].role) {
    case Column::Role::kEarliest:
    case Column::Role::kLatest: {
      Value bounds[2];
      DeriveDate(static_cast<const v1::UncertainDate&>(*message), &bounds[0], &bounds[1]);
      return bounds[table_.columns[column].role == Column::Role::kLatest ? 1 : 0];
    }
    default:
      break;
  }
  const Reflection* reflection = message->GetReflection();
  if (field->has_presence() && !reflection->HasField(*message, field)) return {};
  const Kind kind = ColumnKindOf(field);
  return kind == Kind::kScalar ? ScalarOf(*message, field)
                               : SingleOf(kind, reflection->GetMessage(*message, field));
}

std::vector<std::string> NamesOf(const Message& record) {
  std::vector<std::string> names;
  VisitNames(record,
             [&](absl::string_view text, const TextPlace&, bool) { names.emplace_back(text); });
  return names;
}

}  // namespace detente::query
