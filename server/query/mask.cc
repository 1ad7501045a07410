#include "query/mask.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "error/error.h"
#include "query/elements.h"

namespace detente::query {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// What a set of paths keeps below one message.
struct Kept {
  bool whole = false;
  std::map<const FieldDescriptor*, Kept> fields;
  std::map<std::string, Kept> elements;  // of a repeated field: by key
  std::unique_ptr<Kept> every;           // of a repeated field: kept of each element
};

void Add(Kept* kept, const Path& path) {
  for (const Step& step : path) {
    kept = &kept->fields[step.field];
    if (step.select == Step::Select::kElement) kept = &kept->elements[step.key];
    if (step.select == Step::Select::kEvery) {
      if (kept->every == nullptr) kept->every = std::make_unique<Kept>();
      kept = kept->every.get();
    }
  }
  kept->whole = true;
}

// What several sets keep, together: of an element, those of its own name and of every one.
using Union = std::vector<const Kept*>;

bool Whole(const Union& kept) {
  return std::any_of(kept.begin(), kept.end(), [](const Kept* one) { return one->whole; });
}

void Project(const Union& kept, Message* message);

void ProjectElements(const Union& kept, Message* message, const FieldDescriptor* field) {
  const Reflection* reflection = message->GetReflection();
  for (int i = reflection->FieldSize(*message, field) - 1; i >= 0; --i) {
    Message* element = reflection->MutableRepeatedMessage(message, field, i);
    Union below;
    for (const Kept* one : kept) {
      auto named = one->elements.find(ElementKey(*element));
      if (named != one->elements.end()) below.push_back(&named->second);
      if (one->every != nullptr) below.push_back(one->every.get());
    }
    if (below.empty()) {
      RemoveElement(message, field, i);
    } else if (!Whole(below)) {
      Project(below, element);
    }
  }
}

void Project(const Union& kept, Message* message) {
  const Reflection* reflection = message->GetReflection();
  std::vector<const FieldDescriptor*> set;
  reflection->ListFields(*message, &set);
  reflection->MutableUnknownFields(message)->Clear();
  for (const FieldDescriptor* field : set) {
    Union below;
    for (const Kept* one : kept) {
      auto found = one->fields.find(field);
      if (found != one->fields.end()) below.push_back(&found->second);
    }
    if (below.empty()) {
      reflection->ClearField(message, field);
    } else if (Whole(below)) {
      continue;
    } else if (field->is_repeated()) {
      ProjectElements(below, message, field);
    } else {
      Project(below, reflection->MutableMessage(message, field));
    }
  }
}

// Sets a field of `target`, which is clear, to what `source` has.
void CopyValues(const Message& source, const FieldDescriptor* field, Message* target) {
  const Reflection* reflection = source.GetReflection();
  const auto copy = [&](auto get, auto get_repeated, auto set, auto add) {
    if (!field->is_repeated()) {
      return (reflection->*set)(target, field, (reflection->*get)(source, field));
    }
    for (int i = 0; i < reflection->FieldSize(source, field); ++i) {
      (reflection->*add)(target, field, (reflection->*get_repeated)(source, field, i));
    }
  };
#define DETENTE_COPY(Type)                                                                    \
  return copy(&Reflection::Get##Type, &Reflection::GetRepeated##Type, &Reflection::Set##Type, \
              &Reflection::Add##Type)
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      DETENTE_COPY(Int32);
    case FieldDescriptor::CPPTYPE_INT64:
      DETENTE_COPY(Int64);
    case FieldDescriptor::CPPTYPE_UINT32:
      DETENTE_COPY(UInt32);
    case FieldDescriptor::CPPTYPE_UINT64:
      DETENTE_COPY(UInt64);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      DETENTE_COPY(Double);
    case FieldDescriptor::CPPTYPE_FLOAT:
      DETENTE_COPY(Float);
    case FieldDescriptor::CPPTYPE_BOOL:
      DETENTE_COPY(Bool);
    case FieldDescriptor::CPPTYPE_ENUM:
      DETENTE_COPY(EnumValue);
    case FieldDescriptor::CPPTYPE_STRING:
      DETENTE_COPY(String);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
#undef DETENTE_COPY
  if (!field->is_repeated()) {
    reflection->MutableMessage(target, field)->CopyFrom(reflection->GetMessage(source, field));
    return;
  }
  for (int i = 0; i < reflection->FieldSize(source, field); ++i) {
    reflection->AddMessage(target, field)
        ->CopyFrom(reflection->GetRepeatedMessage(source, field, i));
  }
}

void CopyField(const Message& source, const FieldDescriptor* field, Message* target) {
  const Reflection* reflection = source.GetReflection();
  const bool has = field->is_repeated() ? reflection->FieldSize(source, field) > 0
                                        : reflection->HasField(source, field);
  reflection->ClearField(target, field);
  if (has) CopyValues(source, field, target);
}

absl::Status UpdatePath(const Path& path, size_t at, const Message& source, Message* target) {
  const Step& step = path[at];
  const Reflection* reflection = source.GetReflection();
  bool last = at + 1 == path.size();
  if (last && step.select != Step::Select::kElement) {  // every element is the whole list
    CopyField(source, step.field, target);
    return absl::OkStatus();
  }
  if (step.select == Step::Select::kWhole) {
    if (!reflection->HasField(source, step.field) && !reflection->HasField(*target, step.field)) {
      return absl::OkStatus();  // absent on both sides: nothing below to clear
    }
    return UpdatePath(path, at + 1, reflection->GetMessage(source, step.field),
                      reflection->MutableMessage(target, step.field));
  }
  if (step.select == Step::Select::kEvery) {
    std::map<std::string, const Message*> sent;
    for (int i = 0; i < reflection->FieldSize(source, step.field); ++i) {
      const Message& element = reflection->GetRepeatedMessage(source, step.field, i);
      sent.emplace(ElementKey(element), &element);
    }
    for (int i = 0; i < reflection->FieldSize(*target, step.field); ++i) {
      Message* element = reflection->MutableRepeatedMessage(target, step.field, i);
      const auto from = sent.find(ElementKey(*element));
      if (from == sent.end()) {
        return absl::InvalidArgumentError(
            absl::StrCat(FormatPath(path), ": the record sent lacks the element \"",
                         ElementKey(*element), "\" that the stored one has"));
      }
      absl::Status status = UpdatePath(path, at + 1, *from->second, element);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }
  int from = FindElement(source, step.field, step.key);
  int to = FindElement(*target, step.field, step.key);
  if (last) {
    if (from < 0) {
      if (to >= 0) RemoveElement(target, step.field, to);
      return absl::OkStatus();
    }
    const Message& element = reflection->GetRepeatedMessage(source, step.field, from);
    (to >= 0 ? reflection->MutableRepeatedMessage(target, step.field, to)
             : reflection->AddMessage(target, step.field))
        ->CopyFrom(element);
    return absl::OkStatus();
  }
  if (from < 0 || to < 0) {
    return absl::InvalidArgumentError(absl::StrCat(FormatPath(path), ": the ",
                                                   from < 0 ? "record sent" : "stored record",
                                                   " has no element \"", step.key, "\""));
  }
  return UpdatePath(path, at + 1, reflection->GetRepeatedMessage(source, step.field, from),
                    reflection->MutableRepeatedMessage(target, step.field, to));
}

}  // namespace

absl::StatusOr<Mask> Mask::Parse(const google::protobuf::FieldMask& mask,
                                 const google::protobuf::Descriptor* descriptor,
                                 absl::string_view field) {
  Mask parsed;
  if (mask.paths_size() == 1 && mask.paths(0) == "*") return parsed;
  if (mask.paths_size() > kMaxMaskPaths) {
    return InvalidField(field, absl::StrCat("more than ", kMaxMaskPaths, " paths"));
  }
  parsed.everything_ = false;
  std::vector<Violation> violations;
  for (const std::string& text : mask.paths()) {
    auto path =
        text == "*" ? absl::InvalidArgumentError("`*` stands alone") : ParsePath(text, descriptor);
    if (path.ok()) {
      parsed.paths_.push_back(*std::move(path));
    } else {
      violations.push_back(
          {std::string(field), absl::StrCat("`", text, "`: ", path.status().message())});
    }
  }
  if (!violations.empty()) return InvalidFields(violations);
  return parsed;
}

Mask Mask::Of(std::vector<Path> paths) {
  Mask mask;
  mask.everything_ = false;
  mask.paths_ = std::move(paths);
  return mask;
}

Mask Mask::OfSetFields(const Message& message) {
  Mask mask;
  mask.everything_ = false;
  std::vector<const FieldDescriptor*> set;
  message.GetReflection()->ListFields(message, &set);
  for (const FieldDescriptor* field : set) {
    Step step;
    step.field = field;
    mask.paths_.push_back({step});
  }
  return mask;
}

void Mask::Project(Message* message) const {
  if (everything_) return;
  Kept kept;
  for (const Path& path : paths_) Add(&kept, path);
  query::Project({&kept}, message);
}

absl::Status Mask::Update(const Message& source, Message* target, absl::string_view field) const {
  for (const Path& path : paths_) {
    absl::Status status = UpdatePath(path, 0, source, target);
    if (!status.ok()) return InvalidField(field, status.message());
  }
  return absl::OkStatus();
}

}  // namespace detente::query
