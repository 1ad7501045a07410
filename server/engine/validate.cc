#include "engine/validate.h"

#include <openssl/evp.h>

#include <cmath>
#include <functional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "error/error.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/unknown_field_set.h"
#include "query/path.h"
#include "values/messages.h"

namespace detente::engine {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

bool AllOf(absl::string_view text, bool (*test)(unsigned char)) {
  for (unsigned char c : text) {
    if (!test(c)) return false;
  }
  return true;
}

// What is expected of the text, or null where it fits.
const char* Misfit(Format format, absl::string_view text) {
  switch (format) {
    case Format::kAny:
      return nullptr;
    case Format::kRegion:
      return text.size() == 2 && AllOf(text, absl::ascii_isupper)
                 ? nullptr
                 : "a country of ISO 3166-1 alpha-2 expected (`BY`)";
    case Format::kSubdivision:
      return text.size() >= 4 && text.size() <= 6 && text[2] == '-' &&
                     AllOf(text.substr(0, 2), absl::ascii_isupper) &&
                     AllOf(text.substr(3), absl::ascii_isalnum)
                 ? nullptr
                 : "a subdivision of ISO 3166-2 expected (`BY-HM`)";
    case Format::kLanguage: {
      bool fits = text.size() <= 64;
      bool first = true;
      for (absl::string_view part : absl::StrSplit(text, '-')) {
        fits &= !part.empty() && part.size() <= 8 && AllOf(part, absl::ascii_isalnum) &&
                (!first || (part.size() >= 2 && AllOf(part, absl::ascii_isalpha)));
        first = false;
      }
      return fits ? nullptr : "a language tag of BCP 47 expected (`be`, `zh-Hant`)";
    }
    case Format::kScript:
      return text.size() == 4 && absl::ascii_isupper(text[0]) &&
                     AllOf(text.substr(1), absl::ascii_islower)
                 ? nullptr
                 : "a script of ISO 15924 expected (`Cyrl`)";
    case Format::kCurrency:
      return text.size() == 3 && AllOf(text, absl::ascii_isupper)
                 ? nullptr
                 : "a currency of ISO 4217 expected (`USD`)";
    case Format::kUrl:
      return absl::StartsWith(text, "https://") || absl::StartsWith(text, "http://")
                 ? nullptr
                 : "a URL expected that begins with https:// or http://";
    case Format::kSha256:
      return text.size() == 64 && AllOf(text, absl::ascii_isxdigit)
                 ? nullptr
                 : "64 hexadecimal digits expected";
  }
  return nullptr;
}

// Where the walk is; the text is made only for a violation.
struct Place {
  const Place* parent;
  absl::string_view field;
  const std::string* id = nullptr;  // of an element
  int index = -1;                   // of an element without an id, or a scalar in a list

  std::string Text() const {
    std::string text = parent != nullptr ? parent->Text() : "";
    if (!field.empty()) absl::StrAppend(&text, text.empty() ? "" : ".", field);
    if (id != nullptr && !id->empty()) {
      absl::StrAppend(&text, "[\"", *id, "\"]");
    } else if (index >= 0) {
      absl::StrAppend(&text, "[", index, "]");
    }
    return text;
  }
};

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
      const Message& citation = reflection->GetRepeatedMessage(record, citations, i);
      std::string id = citation.GetReflection()->GetString(
          citation, citation.GetDescriptor()->FindFieldByName("id"));
      CheckPathList(citation, citation.GetDescriptor()->FindFieldByName("fields"),
                    {&place, citations->name(), &id, i});
    }
  }

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

  void CheckPathList(const Message& message, const FieldDescriptor* field, const Place& place) {
    const Reflection* reflection = message.GetReflection();
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      std::string text = reflection->GetRepeatedString(message, field, i);
      auto path = query::ParsePath(text, resource_.type);
      if (!path.ok()) {
        Violate({&place, field->name(), nullptr, i}, v1::INVALID_FIELD,
                absl::StrCat("`", text.substr(0, 256), "`: ", path.status().message()));
      }
    }
  }

  const Resource& resource_;
  const Validate mode_;
  std::vector<Violation> violations_;
  std::vector<v1::ErrorReason> reasons_;
};

void FindUnknownFields(const Message& message, const Place& place,
                       std::vector<Violation>* violations) {
  if (violations->size() >= kMaxViolations) return;
  const Reflection* reflection = message.GetReflection();
  if (const auto& unknown = reflection->GetUnknownFields(message); !unknown.empty()) {
    violations->push_back(
        {place.Text(), absl::StrCat("this server knows no field ", unknown.field(0).number(),
                                    " of ", message.GetDescriptor()->name())});
  }
  std::vector<const FieldDescriptor*> set;
  reflection->ListFields(message, &set);
  for (const FieldDescriptor* field : set) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      FindUnknownFields(reflection->GetMessage(message, field), {&place, field->name()},
                        violations);
      continue;
    }
    const FieldDescriptor* id = field->message_type()->FindFieldByName("id");
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      const Message& element = reflection->GetRepeatedMessage(message, field, i);
      std::string key = id == nullptr ? "" : element.GetReflection()->GetString(element, id);
      FindUnknownFields(element, {&place, field->name(), &key, i}, violations);
    }
  }
}

// What a field that is not stated means: the first state of review, and no restriction.
void SetDefaults(const Resource& resource, Message* record) {
  for (int number : {kReviewState, kVisibility}) {
    const FieldDescriptor* field = resource.type->FindFieldByNumber(number);
    if (record->GetReflection()->GetEnumValue(*record, field) == 0) {
      record->GetReflection()->SetEnumValue(record, field, 1);
    }
  }
}

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
  }
  return validator.Result();
}

absl::Status RejectUnknownFields(const Message& message, absl::string_view prefix) {
  std::vector<Violation> violations;
  FindUnknownFields(message, {nullptr, prefix}, &violations);
  return violations.empty() ? absl::OkStatus() : InvalidFields(violations, v1::UNKNOWN_FIELD);
}

void KeepUnknownFields(const Message& stored, Message* replacement) {
  const Reflection* reflection = stored.GetReflection();
  // What a mask left as it was has them still.
  if (const auto& unknown = reflection->GetUnknownFields(stored);
      !unknown.empty() && reflection->GetUnknownFields(*replacement).empty()) {
    reflection->MutableUnknownFields(replacement)->MergeFrom(unknown);
  }
  std::vector<const FieldDescriptor*> set;
  reflection->ListFields(stored, &set);
  for (const FieldDescriptor* field : set) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field->is_map()) continue;
    if (!field->is_repeated()) {
      if (reflection->HasField(*replacement, field)) {
        KeepUnknownFields(reflection->GetMessage(stored, field),
                          reflection->MutableMessage(replacement, field));
      }
      continue;
    }
    const FieldDescriptor* id = field->message_type()->FindFieldByName("id");
    if (id == nullptr) continue;
    absl::flat_hash_map<std::string, Message*> by_id;
    for (int i = 0; i < reflection->FieldSize(*replacement, field); ++i) {
      Message* element = reflection->MutableRepeatedMessage(replacement, field, i);
      by_id.emplace(element->GetReflection()->GetString(*element, id), element);
    }
    for (int i = 0; i < reflection->FieldSize(stored, field); ++i) {
      const Message& element = reflection->GetRepeatedMessage(stored, field, i);
      const auto other = by_id.find(element.GetReflection()->GetString(element, id));
      if (other != by_id.end()) KeepUnknownFields(element, other->second);
    }
  }
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
