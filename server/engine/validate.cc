#include "engine/validate.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "engine/format.h"
#include "engine/place.h"
#include "error/error.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/unknown_field_set.h"
#include "query/elements.h"
#include "query/path.h"
#include "query/value.h"
#include "values/json.h"
#include "values/messages.h"

namespace detente::engine {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

class Validator {
 public:
  Validator(const Resource& resource, Validate mode) : resource_(resource), mode_(mode) {}

  void Check(const TypePlan& plan, const Place& place, Message* message, bool root) {
    const Reflection* reflection = message->GetReflection();
    if (mode_ != Validate::kMerged && !reflection->GetUnknownFields(*message).empty()) {
      Violate(place, v1::UNKNOWN_FIELD,
              absl::StrCat("this server knows no field ",
                           reflection->GetUnknownFields(*message).field(0).number(), " of ",
                           plan.type->name()));
    }
    for (const FieldPlan& field : plan.fields) {
      if (root && field.field->number() <= kDeleteTime) {
        reflection->ClearField(message, field.field);
      } else if (field.output_only) {
        if (field.field->is_repeated() || reflection->HasField(*message, field.field)) {
          reflection->ClearField(message, field.field);
        }
      } else if (field.field->is_repeated()) {
        CheckRepeated(field, place, message, reflection);
      } else if (reflection->HasField(*message, field.field)) {
        CheckSingular(field, place, message, reflection);
      } else if (field.required && mode_ != Validate::kPartial) {
        Violate({&place, field.field->name()}, v1::INVALID_FIELD, "is required");
      }
    }
    CheckKind(plan, place, message);
  }

  void CheckPaths(const Message& record, const Place& place) {
    const Reflection* reflection = record.GetReflection();
    const auto* restricted = resource_.type->FindFieldByNumber(kRestrictedFields);
    CheckPathList(record, restricted, place);
    const auto* citations = resource_.type->FindFieldByNumber(kCitations);
    for (int i = 0; i < reflection->FieldSize(record, citations); ++i) {
      const auto& citation =
          static_cast<const v1::Citation&>(reflection->GetRepeatedMessage(record, citations, i));
      const Place at{&place, citations->name(), &citation.id(), i};
      const std::vector<query::Path> paths = CheckPathList(
          citation, citation.GetDescriptor()->FindFieldByNumber(v1::Citation::kFieldsFieldNumber),
          at);
      // Of a part, neither the elements nor the rest of the citation need be there.
      if (mode_ != Validate::kPartial) CheckCitation(record, citation, paths, at);
    }
  }

  // A field of a message that holds nothing else.
  void CheckField(const FieldPlan& field, const TypePlan& plan, const Place& place,
                  Message* holder) {
    const Reflection* reflection = holder->GetReflection();
    if (field.field->is_repeated()) {
      CheckRepeated(field, place, holder, reflection);
    } else if (reflection->HasField(*holder, field.field)) {
      CheckSingular(field, place, holder, reflection);
    }
    CheckKind(plan, place, holder);
  }

  const std::vector<Violation>& violations() const { return violations_; }

  absl::Status Result() const {
    if (violations_.empty()) return absl::OkStatus();
    // All alike: the reason says so.
    for (v1::ErrorReason reason : {v1::UNKNOWN_FIELD, v1::LIMIT_EXCEEDED}) {
      if (std::all_of(reasons_.begin(), reasons_.end(),
                      [&](v1::ErrorReason r) { return r == reason; })) {
        return InvalidFields(violations_, reason);
      }
    }
    return InvalidFields(violations_);
  }

  void Violate(const Place& place, v1::ErrorReason reason, absl::string_view description) {
    if (violations_.size() >= kMaxViolations) return;
    violations_.push_back({place.Text(), std::string(description)});
    reasons_.push_back(reason);
  }

 private:
  void CheckKind(const TypePlan& plan, const Place& place, Message* message) {
    std::vector<Violation> found;
    switch (plan.kind) {
      case TypePlan::Kind::kPlain:
        return;
      case TypePlan::Kind::kDate:
        values::NormalizeDate(static_cast<v1::UncertainDate*>(message), &found);
        break;
      case TypePlan::Kind::kEstimate:
        values::CheckEstimate(static_cast<const v1::Estimate&>(*message), &found);
        break;
      case TypePlan::Kind::kLatLng:
        values::CheckLatLng(static_cast<const google::type::LatLng&>(*message), &found);
        break;
    }
    for (const Violation& violation : found) {
      Violate({&place, violation.field}, v1::INVALID_FIELD, violation.description);
    }
  }

  void CheckSingular(const FieldPlan& field, const Place& parent, Message* message,
                     const Reflection* reflection) {
    Place place{&parent, field.field->name()};
    switch (field.field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        Check(*field.message, place, reflection->MutableMessage(message, field.field), false);
        break;
      case FieldDescriptor::CPPTYPE_STRING: {
        std::string scratch;
        CheckText(field, place, reflection->GetStringReference(*message, field.field, &scratch));
        break;
      }
      case FieldDescriptor::CPPTYPE_ENUM:
        CheckEnum(field, place, reflection->GetEnumValue(*message, field.field));
        break;
      case FieldDescriptor::CPPTYPE_INT32:
        CheckCount(field, place, reflection->GetInt32(*message, field.field));
        break;
      case FieldDescriptor::CPPTYPE_INT64:
        CheckCount(field, place, reflection->GetInt64(*message, field.field));
        break;
      default:
        break;
    }
  }

  void CheckRepeated(const FieldPlan& field, const Place& parent, Message* message,
                     const Reflection* reflection) {
    int size = reflection->FieldSize(*message, field.field);
    if (size == 0) {
      if (field.required && mode_ != Validate::kPartial) {
        Violate({&parent, field.field->name()}, v1::INVALID_FIELD, "at least one is required");
      }
      return;
    }
    if (size > kMaxRepeated) {
      Violate({&parent, field.field->name()}, v1::LIMIT_EXCEEDED,
              absl::StrCat("at most ", kMaxRepeated, " elements, got ", size));
      return;
    }
    switch (field.field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        CheckElements(field, parent, message, reflection, size);
        break;
      case FieldDescriptor::CPPTYPE_STRING: {
        std::string scratch;
        for (int i = 0; i < size; ++i) {
          const std::string& text =
              reflection->GetRepeatedStringReference(*message, field.field, i, &scratch);
          Place place{&parent, field.field->name(), nullptr, i};
          if (text.empty()) {
            Violate(place, v1::INVALID_FIELD, "must not be empty");
          } else {
            CheckText(field, place, text);
          }
        }
        break;
      }
      case FieldDescriptor::CPPTYPE_ENUM:
        for (int i = 0; i < size; ++i) {
          CheckEnum(field, {&parent, field.field->name(), nullptr, i},
                    reflection->GetRepeatedEnumValue(*message, field.field, i));
        }
        break;
      default:
        break;
    }
  }

  void CheckElements(const FieldPlan& field, const Place& parent, Message* message,
                     const Reflection* reflection, int size) {
    const FieldDescriptor* id_field = field.message->id;
    if (field.field->is_map() || id_field == nullptr) {
      for (int i = 0; i < size; ++i) {
        Check(*field.message, {&parent, field.field->name(), nullptr, i},
              reflection->MutableRepeatedMessage(message, field.field, i), false);
      }
      return;
    }
    absl::flat_hash_set<std::string> ids;
    std::vector<Message*> without_id;
    std::string scratch;
    for (int i = 0; i < size; ++i) {
      Message* element = reflection->MutableRepeatedMessage(message, field.field, i);
      const std::string& id =
          element->GetReflection()->GetStringReference(*element, id_field, &scratch);
      Place place{&parent, field.field->name(), &id, i};
      if (id.empty()) {
        without_id.push_back(element);
      } else if (!ValidId(id)) {
        place.id = nullptr;
        Violate({&place, "id"}, v1::INVALID_FIELD,
                absl::StrCat("`", id.substr(0, 64),
                             "`: an id of lower-case letters, digits and hyphens expected, at "
                             "most 63, without a hyphen at either end"));
      } else if (!ids.insert(id).second) {
        place.id = nullptr;
        Violate({&place, "id"}, v1::INVALID_FIELD,
                absl::StrCat("`", id, "`: another element of the list has it"));
      }
      Check(*field.message, place, element, false);
    }
    for (Message* element : without_id) {
      element->GetReflection()->SetString(element, id_field, MakeId(*element, &ids));
    }
  }

  // From the element's content, so that loading the same record again gives the same ids.
  static std::string MakeId(const Message& element, absl::flat_hash_set<std::string>* taken) {
    // Fetched once: OpenSSL 3 looks EVP_sha256() up anew at every use.
    static const EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    std::string content = EncodePayload(element);
    while (true) {
      unsigned char digest[EVP_MAX_MD_SIZE];
      EVP_Digest(content.data(), content.size(), digest, nullptr, sha256, nullptr);
      constexpr char kAlphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
      std::string id;
      for (int i = 0; i < 10; ++i) id.push_back(kAlphabet[digest[i] & 31]);
      if (taken->insert(id).second) return id;
      content.push_back('+');
    }
  }

  void CheckText(const FieldPlan& field, const Place& place, const std::string& text) {
    if (text.size() > field.max_bytes) {
      Violate(place, v1::LIMIT_EXCEEDED,
              absl::StrCat("at most ", field.max_bytes, " bytes, got ", text.size()));
      return;
    }
    if (field.field->type() == FieldDescriptor::TYPE_BYTES) return;
    if (text.find('\0') != std::string::npos) {
      Violate(place, v1::INVALID_FIELD, "must not hold a NUL character");
      return;
    }
    if (const char* expected = Misfit(field.format, text)) {
      Violate(place, v1::INVALID_FIELD, absl::StrCat("`", text.substr(0, 64), "`: ", expected));
      return;
    }
    if (!field.reference.empty()) CheckReference(field, place, text);
    if (!field.element_list.empty() && !ValidId(text)) {
      Violate(place, v1::INVALID_FIELD,
              absl::StrCat("`", text.substr(0, 64), "`: the id of an element of ",
                           field.element_list, " expected"));
    }
  }

  void CheckReference(const FieldPlan& field, const Place& place, absl::string_view name) {
    size_t slash = name.find('/');
    bool fits = slash != absl::string_view::npos && ValidId(name.substr(slash + 1)) &&
                (field.reference == "*" || name.substr(0, slash) == field.reference);
    if (!fits) {
      Violate(place, v1::INVALID_FIELD,
              absl::StrCat("`", name.substr(0, 128), "`: the name of a record expected, as `",
                           field.reference == "*" ? "releases" : field.reference, "/{id}`"));
    }
  }

  void CheckEnum(const FieldPlan& field, const Place& place, int number) {
    if (field.field->enum_type()->FindValueByNumber(number) == nullptr) {
      Violate(place, v1::INVALID_FIELD,
              absl::StrCat(field.field->enum_type()->name(), " has no value ", number));
    } else if (field.field->is_repeated() && number == 0) {
      Violate(place, v1::INVALID_FIELD, "must not be unspecified in a list");
    }
  }

  // Whole numbers of the contract are counts and durations. An estimate's own check is more exact.
  void CheckCount(const FieldPlan& field, const Place& place, int64_t value) {
    if (value < 0 && field.field->containing_type()->full_name() != "detente.v1.Estimate") {
      Violate(place, v1::INVALID_FIELD, absl::StrCat("from 0 on expected, got ", value));
    }
  }

  // The paths that can be read.
  std::vector<query::Path> CheckPathList(const Message& message, const FieldDescriptor* field,
                                         const Place& place) {
    const Reflection* reflection = message.GetReflection();
    std::vector<query::Path> paths;
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      std::string text = reflection->GetRepeatedString(message, field, i);
      auto path = query::ParsePath(text, resource_.type);
      if (!path.ok()) {
        Violate({&place, field->name(), nullptr, i}, v1::INVALID_FIELD,
                absl::StrCat("`", text.substr(0, 256), "`: ", path.status().message()));
      } else {
        paths.push_back(*std::move(path));
      }
    }
    return paths;
  }

  void CheckCitation(const Message& record, const v1::Citation& citation,
                     const std::vector<query::Path>& paths, const Place& place) {
    const bool asserts = !citation.asserted_value().empty();
    for (const query::Path& path : paths) {
      const size_t missing = MissingElement(record, path);
      // What a source has and the record has not.
      if (missing == path.size() || (asserts && missing + 1 == path.size())) continue;
      Violate({&place, "fields"}, v1::INVALID_FIELD,
              absl::StrCat("`", query::FormatPath(path).substr(0, 256), "`: the record has no `",
                           path[missing].key.substr(0, 64), "` in ", path[missing].field->name(),
                           "; a source that has one asserts it whole, in `asserted_value`"));
    }
    if (!asserts) return;
    const Place at{&place, "asserted_value"};
    if (citation.fields_size() != 1) {
      Violate(at, v1::INVALID_FIELD,
              absl::StrCat("is the value of one field: exactly one path in `fields` expected, got ",
                           citation.fields_size()));
    } else if (!paths.empty()) {
      auto value = ReadAsserted(resource_, paths[0], citation.asserted_value());
      if (!value.ok()) Violate(at, v1::INVALID_FIELD, value.status().message());
    }
  }

  // The step of the first element on the way that the record lacks; the path's size if it has all.
  static size_t MissingElement(const Message& record, const query::Path& path) {
    const Message* message = &record;
    for (size_t i = 0; i < path.size(); ++i) {
      const query::Step& step = path[i];
      if (step.select == query::Step::Select::kEvery) break;
      if (step.select == query::Step::Select::kElement) {
        const int index = query::FindElement(*message, step.field, step.key);
        if (index < 0) return i;
        message = &message->GetReflection()->GetRepeatedMessage(*message, step.field, index);
      } else if (i + 1 < path.size()) {
        message = &message->GetReflection()->GetMessage(*message, step.field);
      }
    }
    return path.size();
  }

  const Resource& resource_;
  const Validate mode_;
  std::vector<Violation> violations_;
  std::vector<v1::ErrorReason> reasons_;
};

constexpr size_t kMaxNestedText = 500;  // of violations within an asserted value

// What a field that is not stated means: the first state of review, and no restriction.
void SetDefaults(const Resource& resource, Message* record) {
  for (int number : {kReviewState, kVisibility}) {
    const FieldDescriptor* field = resource.type->FindFieldByNumber(number);
    if (record->GetReflection()->GetEnumValue(*record, field) == 0) {
      record->GetReflection()->SetEnumValue(record, field, 1);
    }
  }
}

// What a source can speak of: not the record's identity, nor what its keeper decides. A value that
// is derived of the record's own fields is one: sources count days, too.
bool IsAssertable(const FieldPlan& field) {
  const int number = field.field->number();
  if (number == kDisplayName) return true;
  if (number <= kCitations) return false;
  return !field.output_only || field.field->type() != FieldDescriptor::TYPE_STRING;
}

// A short enum's name, or that of a boolean field, takes some dozens of bytes where a byte or two
// hold it.
constexpr size_t kMostJsonPerByte = 48;

}  // namespace

absl::Status ValidateRecord(const Resource& resource, Validate mode, absl::string_view prefix,
                            Message* record) {
  if (mode != Validate::kPartial) SetDefaults(resource, record);
  Validator validator(resource, mode);
  Place root{nullptr, prefix};
  validator.Check(*resource.plan, root, record, true);
  validator.CheckPaths(*record, root);
  if (size_t size = record->ByteSizeLong(); size > kMaxRecordBytes) {
    validator.Violate(
        root, v1::LIMIT_EXCEEDED,
        absl::StrCat("a record takes at most ", kMaxRecordBytes, " bytes, got ", size));
  } else if (size > kMaxRecordJson / kMostJsonPerByte) {
    const size_t json = values::ToJson(*record, values::JsonOf::kContent).size();
    if (json > kMaxRecordJson) {
      validator.Violate(
          root, v1::LIMIT_EXCEEDED,
          absl::StrCat("a record takes at most ", kMaxRecordJson, " bytes of JSON, got ", json));
    }
  }
  return validator.Result();
}

absl::StatusOr<query::Value> ReadAsserted(const Resource& resource, const query::Path& path,
                                          absl::string_view json) {
  const TypePlan* plan = resource.plan;
  const FieldPlan* field = nullptr;
  for (size_t i = 0; i < path.size(); ++i) {
    if (i > 0) plan = field->message;
    field = &*std::find_if(plan->fields.begin(), plan->fields.end(),
                           [&](const FieldPlan& f) { return f.field == path[i].field; });
    if (i == 0 && !IsAssertable(*field)) {
      return absl::InvalidArgumentError(absl::StrCat("no source asserts `", field->field->name(),
                                                     "`: it is about the record itself"));
    }
    if (i > 0 && field->output_only) {
      return absl::InvalidArgumentError(
          absl::StrCat("`", field->field->name(), "` is computed: assert what it follows from"));
    }
    if (i > 0 && field->field == plan->id) {
      return absl::InvalidArgumentError("an element's id can't be asserted: assert the element");
    }
  }
  auto value = query::ReadValue(path, json);
  if (!value.ok() || *value == nullptr) return value;
  Validator validator(resource, Validate::kWhole);
  validator.CheckField(*field, *plan, {nullptr, ""}, value->get());
  std::string wrong;
  for (const Violation& violation : validator.violations()) {
    absl::StrAppend(&wrong, wrong.empty() ? "" : "; ", violation.field, ": ",
                    violation.description);
    if (wrong.size() > kMaxNestedText) break;
  }
  if (!wrong.empty()) return absl::InvalidArgumentError(wrong);
  return value;
}

std::string EncodePayload(const Message& record) {
  std::string payload;
  payload.reserve(record.ByteSizeLong());
  google::protobuf::io::StringOutputStream stream(&payload);
  google::protobuf::io::CodedOutputStream out(&stream);
  out.SetSerializationDeterministic(true);
  record.SerializeToCodedStream(&out);
  out.Trim();
  return payload;
}

}  // namespace detente::engine
