#include "columnar/field_reader.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "columnar/cell.h"
#include "detente/v1/values.pb.h"
#include "engine/validate.h"
#include "google/protobuf/util/time_util.h"
#include "query/nearest.h"
#include "values/edtf.h"

namespace detente::columnar {
namespace {

using engine::FieldPlan;
using engine::Place;
using engine::TypePlan;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr size_t kMaxShown = 64;  // bytes of a value in an error

std::string Shown(absl::string_view value) { return absl::StrCat("`", value.substr(0, kMaxShown)); }

absl::Status WrongType(const std::string& path, absl::string_view expected,
                       const arrow::Array& array) {
  std::string type = array.type()->ToString();
  if (type.size() > kMaxShown) type = type.substr(0, kMaxShown) + "…";
  return absl::InvalidArgumentError(
      absl::StrCat("column `", path, "`: ", expected, " expected, got Arrow's ", type));
}

// The field of one scalar kind; a subclass says how a cell becomes a value.
class ScalarReader : public FieldReader {
 public:
  ScalarReader(const FieldDescriptor* field, Cells cells)
      : field_(field), cells_(std::move(cells)) {}
  bool IsNull(int64_t at) const override { return cells_.IsNull(at); }

 protected:
  template <typename T>
  using Putter = void (Reflection::*)(Message*, const FieldDescriptor*, T) const;
  template <typename T>
  void Put(T value, Putter<T> set, Putter<T> add, Message* message) const {
    (message->GetReflection()->*(field_->is_repeated() ? add : set))(message, field_, value);
  }

  const FieldDescriptor* field_;
  Cells cells_;
};

// An empty text is an absent one, but in a list.
class TextReader : public ScalarReader {
 public:
  using ScalarReader::ScalarReader;

  bool IsNull(int64_t at) const override {
    return cells_.IsNull(at) ||
           (!field_->is_repeated() && cells_.kind() == CellKind::kText && cells_.Text(at).empty());
  }

  void Read(int64_t at, const Place& place, Message* message, Reading& reading) const override {
    std::string text;
    if (cells_.kind() == CellKind::kText) {
      reading.text_bytes += cells_.Text(at).size();
      if (reading.full()) return;
      text = std::string(cells_.Text(at));
    } else {
      auto day = cells_.Day(at);
      if (!day.ok()) return reading.Violate(place, day.status().message());
      text = *std::move(day);
    }
    const Reflection* reflection = message->GetReflection();
    if (field_->is_repeated()) return reflection->AddString(message, field_, std::move(text));
    if (const auto* oneof = field_->real_containing_oneof();
        oneof != nullptr && reflection->HasOneof(*message, oneof)) {
      return reading.Violate(
          place, absl::StrCat("not together with ",
                              reflection->GetOneofFieldDescriptor(*message, oneof)->name(),
                              ": one of the two expected"));
    }
    reflection->SetString(message, field_, std::move(text));
  }
};

class IntegerReader : public ScalarReader {
 public:
  using ScalarReader::ScalarReader;
  void Read(int64_t at, const Place& place, Message* message, Reading& reading) const override {
    const absl::StatusOr<int64_t> value = cells_.Integer(at);
    if (!value.ok()) return reading.Violate(place, value.status().message());
    if (field_->cpp_type() == FieldDescriptor::CPPTYPE_INT64) {
      return Put(*value, &Reflection::SetInt64, &Reflection::AddInt64, message);
    }
    const auto narrow = static_cast<int32_t>(*value);
    if (*value == narrow) return Put(narrow, &Reflection::SetInt32, &Reflection::AddInt32, message);
    reading.Violate(place, absl::StrCat("`", *value, "`: a number below 2^31 expected"));
  }
};

class RealReader : public ScalarReader {
 public:
  using ScalarReader::ScalarReader;
  void Read(int64_t at, const Place&, Message* message, Reading&) const override {
    Put(cells_.Real(at), &Reflection::SetDouble, &Reflection::AddDouble, message);
  }
};

class BoolReader : public ScalarReader {
 public:
  using ScalarReader::ScalarReader;
  void Read(int64_t at, const Place&, Message* message, Reading&) const override {
    Put(cells_.Bool(at), &Reflection::SetBool, &Reflection::AddBool, message);
  }
};

// Names of the values; those that say nothing are absent.
class EnumReader : public ScalarReader {
 public:
  using ScalarReader::ScalarReader;
  bool IsNull(int64_t at) const override {
    return cells_.IsNull(at) || (!field_->is_repeated() && cells_.Text(at).empty());
  }
  void Read(int64_t at, const Place& place, Message* message, Reading& reading) const override {
    const absl::string_view name = cells_.Text(at);
    const EnumDescriptor* type = field_->enum_type();
    const auto* value = type->FindValueByName(std::string(name));
    if (value == nullptr) return reading.Violate(place, NoValue(*type, name));
    if (field_->is_repeated()) {
      message->GetReflection()->AddEnum(message, field_, value);
    } else {
      message->GetReflection()->SetEnum(message, field_, value);
    }
  }

 private:
  static std::string NoValue(const EnumDescriptor& type, absl::string_view name) {
    constexpr int kMaxListed = 12;
    std::vector<absl::string_view> names;
    for (int i = 1; i < type.value_count(); ++i) names.emplace_back(type.value(i)->name());
    const std::string nearest = query::Nearest(name, names);
    std::string text = absl::StrCat(Shown(name), "`: no value of ", type.name());
    if (!nearest.empty()) return absl::StrCat(text, "; did you mean `", nearest, "`?");
    for (int i = 0; i < std::min<int>(kMaxListed, static_cast<int>(names.size())); ++i) {
      absl::StrAppend(&text, i == 0 ? "; one of " : ", ", names[i]);
    }
    return absl::StrCat(text, names.size() > kMaxListed ? " … expected" : " expected");
  }
};

// A Timestamp: times, or RFC 3339 texts.
class TimeReader : public ScalarReader {
 public:
  using ScalarReader::ScalarReader;
  bool IsNull(int64_t at) const override {
    return cells_.IsNull(at) || (cells_.kind() == CellKind::kText && cells_.Text(at).empty());
  }
  void Read(int64_t at, const Place& place, Message* message, Reading& reading) const override {
    auto* time = static_cast<google::protobuf::Timestamp*>(
        message->GetReflection()->MutableMessage(message, field_));
    if (cells_.kind() == CellKind::kText) {
      const std::string text(cells_.Text(at));
      if (!google::protobuf::util::TimeUtil::FromString(text, time)) {
        reading.Violate(place,
                        absl::StrCat(Shown(text), "`: a time as 2025-12-13T10:00:00Z expected"));
      }
      return;
    }
    const auto value = cells_.Time(at);
    if (!value.ok()) return reading.Violate(place, value.status().message());
    *time = *value;
  }
};

// An UncertainDate from what says nothing but its date.
class DateReader : public ScalarReader {
 public:
  using ScalarReader::ScalarReader;
  bool IsNull(int64_t at) const override {
    return cells_.IsNull(at) || (cells_.kind() == CellKind::kText && cells_.Text(at).empty());
  }
  void Read(int64_t at, const Place& place, Message* message, Reading& reading) const override {
    auto* date =
        static_cast<v1::UncertainDate*>(message->GetReflection()->MutableMessage(message, field_));
    if (cells_.kind() == CellKind::kText) {
      date->set_edtf(std::string(cells_.Text(at).substr(0, values::kMaxEdtfBytes + 1)));
      return;
    }
    auto day = cells_.Day(at);
    if (!day.ok()) return reading.Violate(place, day.status().message());
    date->set_edtf(*std::move(day));
  }
};

struct Child {
  const FieldDescriptor* field;
  std::unique_ptr<FieldReader> reader;
};

// A message. Elements of maps are messages too.
class StructReader : public FieldReader {
 public:
  StructReader(const FieldDescriptor* field, std::shared_ptr<arrow::Array> array,
               std::vector<Child> children)
      : field_(field), array_(std::move(array)), children_(std::move(children)) {}

  bool IsNull(int64_t at) const override { return array_->IsNull(at); }

  void Read(int64_t at, const Place& place, Message* message, Reading& reading) const override {
    const Reflection* reflection = message->GetReflection();
    Message* inner = field_->is_repeated() ? reflection->AddMessage(message, field_)
                                           : reflection->MutableMessage(message, field_);
    for (const Child& child : children_) {
      if (child.reader->IsNull(at)) continue;
      if (reading.full()) return;
      child.reader->Read(at, {&place, child.field->name()}, inner, reading);
    }
  }

 private:
  const FieldDescriptor* field_;
  std::shared_ptr<arrow::Array> array_;
  std::vector<Child> children_;
};

class ListReader : public FieldReader {
 public:
  ListReader(std::shared_ptr<arrow::Array> array, std::unique_ptr<FieldReader> elements)
      : array_(std::move(array)), elements_(std::move(elements)) {}

  bool IsNull(int64_t at) const override { return array_->IsNull(at); }

  void Read(int64_t at, const Place& place, Message* message, Reading& reading) const override {
    int64_t from = 0;
    int64_t size = 0;
    if (array_->type_id() == arrow::Type::LARGE_LIST) {
      const auto& list = static_cast<const arrow::LargeListArray&>(*array_);
      from = list.value_offset(at);
      size = list.value_length(at);
    } else {
      const auto& list = static_cast<const arrow::ListArray&>(*array_);  // a map is one
      from = list.value_offset(at);
      size = list.value_length(at);
    }
    if (size > engine::kMaxRepeated) {
      return reading.Violate(
          place, absl::StrCat("at most ", engine::kMaxRepeated, " elements, got ", size));
    }
    reading.elements += size;
    for (int64_t i = 0; i < size; ++i) {
      if (reading.full()) return;
      const Place element{place.parent, place.field, nullptr, static_cast<int>(i)};
      if (elements_->IsNull(from + i)) {
        reading.Violate(element, "must not be null in a list");
      } else {
        elements_->Read(from + i, element, message, reading);
      }
    }
  }

 private:
  std::shared_ptr<arrow::Array> array_;
  std::unique_ptr<FieldReader> elements_;
};

using Made = absl::StatusOr<std::unique_ptr<FieldReader>>;

template <typename Reader>
Made NewScalar(const FieldDescriptor* field, Cells cells, const std::string& path,
               std::initializer_list<CellKind> kinds, absl::string_view expected) {
  if (cells.kind() == CellKind::kNull) return nullptr;
  if (std::find(kinds.begin(), kinds.end(), cells.kind()) == kinds.end()) {
    return WrongType(path, expected, *cells.array());
  }
  return std::make_unique<Reader>(field, std::move(cells));
}

// The field of one value: where it is repeated, of one element. None = all cells are null.
Made NewValueReader(const FieldPlan& plan, std::shared_ptr<arrow::Array> array,
                    const std::string& path);

Made NewStruct(const FieldPlan& plan, std::shared_ptr<arrow::Array> array,
               const std::string& path) {
  const auto& parts = static_cast<const arrow::StructArray&>(*array);
  const TypePlan& type = *plan.message;
  std::vector<Child> children;
  for (int i = 0; i < parts.num_fields(); ++i) {
    // The two of a map have no fixed names.
    const std::string name =
        plan.field->is_map() && i < 2 ? (i == 0 ? "key" : "value") : parts.type()->field(i)->name();
    const auto found = std::find_if(type.fields.begin(), type.fields.end(),
                                    [&](const FieldPlan& f) { return f.field->name() == name; });
    const std::string below = absl::StrCat(path, ".", name.substr(0, kMaxShown));
    if (found == type.fields.end()) {
      const std::string nearest = query::NearestField(type.type, name);
      return absl::InvalidArgumentError(absl::StrCat(
          "column `", below, "`: ", type.type->name(), " has no such field",
          nearest.empty() ? "" : "; did you mean `", nearest, nearest.empty() ? "" : "`?"));
    }
    if (found->output_only) continue;
    if (std::any_of(children.begin(), children.end(),
                    [&](const Child& c) { return c.field == found->field; })) {
      return absl::InvalidArgumentError(absl::StrCat("column `", below, "`: is there twice"));
    }
    auto reader = NewFieldReader(*found, parts.field(i), below);
    if (!reader.ok()) return reader.status();
    if (*reader != nullptr) children.push_back({found->field, *std::move(reader)});
  }
  return std::make_unique<StructReader>(plan.field, std::move(array), std::move(children));
}

Made NewMessageReader(const FieldPlan& plan, std::shared_ptr<arrow::Array> array,
                      const std::string& path) {
  Cells cells(array);
  if (cells.kind() == CellKind::kStruct) return NewStruct(plan, std::move(array), path);
  const auto* type = plan.field->message_type();
  if (type == google::protobuf::Timestamp::descriptor()) {
    return NewScalar<TimeReader>(plan.field, std::move(cells), path,
                                 {CellKind::kTime, CellKind::kDay, CellKind::kText}, "a time");
  }
  if (type == v1::UncertainDate::descriptor()) {
    return NewScalar<DateReader>(plan.field, std::move(cells), path,
                                 {CellKind::kText, CellKind::kDay, CellKind::kTime},
                                 "a date: a struct with `edtf`, a text in EDTF, or a day");
  }
  if (cells.kind() == CellKind::kNull) return nullptr;
  return WrongType(path, "a struct", *array);
}

Made NewValueReader(const FieldPlan& plan, std::shared_ptr<arrow::Array> array,
                    const std::string& path) {
  const FieldDescriptor* field = plan.field;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return NewMessageReader(plan, std::move(array), path);
    case FieldDescriptor::CPPTYPE_ENUM:
      return NewScalar<EnumReader>(
          field, Cells(std::move(array)), path, {CellKind::kText},
          absl::StrCat("names of ", field->enum_type()->name(), " as text or its dictionary"));
    case FieldDescriptor::CPPTYPE_BOOL:
      return NewScalar<BoolReader>(field, Cells(std::move(array)), path, {CellKind::kBool}, "bool");
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
      return NewScalar<IntegerReader>(field, Cells(std::move(array)), path,
                                      {CellKind::kInteger, CellKind::kReal}, "a whole number");
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return NewScalar<RealReader>(field, Cells(std::move(array)), path,
                                   {CellKind::kReal, CellKind::kInteger}, "a number");
    case FieldDescriptor::CPPTYPE_STRING:
      if (field->containing_type() == v1::UncertainDate::descriptor()) {
        return NewScalar<TextReader>(field, Cells(std::move(array)), path,
                                     {CellKind::kText, CellKind::kDay, CellKind::kTime},
                                     "a text in EDTF, or a day");
      }
      return NewScalar<TextReader>(field, Cells(std::move(array)), path, {CellKind::kText}, "text");
    default:
      return absl::InternalError(absl::StrCat("no column for ", field->full_name()));
  }
}

}  // namespace

Made NewFieldReader(const FieldPlan& field, std::shared_ptr<arrow::Array> array,
                    const std::string& path) {
  if (!field.field->is_repeated()) return NewValueReader(field, std::move(array), path);
  const Cells cells(array);
  if (cells.kind() == CellKind::kNull) return nullptr;
  if (cells.kind() != CellKind::kList) return WrongType(path, "a list", *array);
  std::shared_ptr<arrow::Array> values =
      array->type_id() == arrow::Type::LARGE_LIST
          ? static_cast<const arrow::LargeListArray&>(*array).values()
          : static_cast<const arrow::ListArray&>(*array).values();
  const bool no_elements = values->length() == 0;
  auto elements = NewValueReader(field, std::move(values), path);
  if (!elements.ok()) return elements.status();
  if (*elements == nullptr) {
    if (no_elements) return nullptr;
    return absl::InvalidArgumentError(
        absl::StrCat("column `", path, "`: its elements must not be null"));
  }
  return std::make_unique<ListReader>(std::move(array), *std::move(elements));
}

}  // namespace detente::columnar
