#include "engine/registry.h"

#include <openssl/rand.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "detente/v1/options.pb.h"
#include "google/api/field_behavior.pb.h"
#include "google/api/resource.pb.h"
#include "values/sha256.h"

namespace detente::engine {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::ServiceDescriptor;

constexpr size_t kDefaultMaxBytes = 64 << 10;
// Raised when code that derives stored data from payloads changes its mind.
constexpr int kDerivation = 2;

Format FormatOf(absl::string_view name) {
  if (absl::EndsWith(name, "region_code") || name == "nationalities") return Format::kRegion;
  if (name == "subdivision_code") return Format::kSubdivision;
  if (name == "language_code") return Format::kLanguage;
  if (name == "script_code") return Format::kScript;
  if (name == "currency_code") return Format::kCurrency;
  if (name == "url" || absl::EndsWith(name, "_url")) return Format::kUrl;
  if (absl::EndsWith(name, "_sha256")) return Format::kSha256;
  return Format::kAny;
}

bool Has(const FieldDescriptor* field, google::api::FieldBehavior behavior) {
  const auto& options = field->options();
  for (int i = 0; i < options.ExtensionSize(google::api::field_behavior); ++i) {
    if (options.GetExtension(google::api::field_behavior, i) == behavior) return true;
  }
  return false;
}

int64_t SizeOf(const Descriptor* type) {
  int64_t size = type->field_count();
  for (int i = 0; i < type->enum_type_count(); ++i) size += type->enum_type(i)->value_count();
  for (int i = 0; i < type->nested_type_count(); ++i) size += SizeOf(type->nested_type(i));
  return size;
}

int64_t SizeOf(const FileDescriptor* file) {
  int64_t size = 0;
  for (int i = 0; i < file->enum_type_count(); ++i) size += file->enum_type(i)->value_count();
  for (int i = 0; i < file->message_type_count(); ++i) size += SizeOf(file->message_type(i));
  return size;
}

}  // namespace

std::string Resource::Name(absl::string_view id) const { return absl::StrCat(collection, "/", id); }

bool ValidId(absl::string_view id) {
  if (id.empty() || id.size() > 63 || id.front() == '-' || id.back() == '-') return false;
  return std::all_of(id.begin(), id.end(), [](char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
  });
}

std::string NewSalt() {
  std::string salt(16, '\0');
  RAND_bytes(reinterpret_cast<unsigned char*>(salt.data()), static_cast<int>(salt.size()));
  return salt;
}

std::string NewUuid() {
  unsigned char bytes[16];
  RAND_bytes(bytes, sizeof bytes);
  int64_t milliseconds = absl::ToUnixMillis(absl::Now());
  for (int i = 0; i < 6; ++i) bytes[i] = static_cast<unsigned char>(milliseconds >> (40 - 8 * i));
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  std::string hex =
      absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(bytes), sizeof bytes));
  return absl::StrCat(hex.substr(0, 8), "-", hex.substr(8, 4), "-", hex.substr(12, 4), "-",
                      hex.substr(16, 4), "-", hex.substr(20));
}

const TypePlan* Registry::Plan(const Descriptor* type) {
  std::unique_ptr<TypePlan>& slot = plans_[type];
  if (slot != nullptr) return slot.get();
  slot = std::make_unique<TypePlan>();
  TypePlan* plan = slot.get();  // the map may grow below
  plan->type = type;
  if (type->full_name() == "detente.v1.UncertainDate") plan->kind = TypePlan::Kind::kDate;
  if (type->full_name() == "detente.v1.Estimate") plan->kind = TypePlan::Kind::kEstimate;
  if (type->full_name() == "google.type.LatLng") plan->kind = TypePlan::Kind::kLatLng;
  plan->id = type->FindFieldByName("id");
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    FieldPlan out;
    out.field = field;
    out.required = Has(field, google::api::REQUIRED);
    out.output_only = Has(field, google::api::OUTPUT_ONLY);
    if (field->type() == FieldDescriptor::TYPE_STRING) out.format = FormatOf(field->name());
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      out.max_bytes = field->options().HasExtension(v1::max_bytes)
                          ? field->options().GetExtension(v1::max_bytes)
                          : kDefaultMaxBytes;
    }
    const auto& options = field->options();
    if (options.HasExtension(google::api::resource_reference) && !out.output_only) {
      out.reference = options.GetExtension(google::api::resource_reference).type();
      plan->refers = true;
    }
    if (options.HasExtension(v1::element_reference)) {
      out.element_record = options.GetExtension(v1::element_reference).record();
      out.element_list = options.GetExtension(v1::element_reference).list();
      plan->refers = true;
    }
    if (field->message_type() != nullptr) {
      out.message = Plan(field->message_type());
      plan->refers |= out.message->refers;
    }
    plan->fields.push_back(std::move(out));
  }
  return plan;
}

absl::Status Registry::AddResource(const ServiceDescriptor* service) {
  std::string name(absl::StripSuffix(service->name(), "Service"));
  const auto* get = service->FindMethodByName("Get" + name);
  // A service across resources, or of something that is no record: a commit, a snapshot.
  if (get == nullptr || get->output_type()->FindFieldByName("citations") == nullptr) {
    return absl::OkStatus();
  }
  const Descriptor* type = get->output_type();
  const auto& option = type->options().GetExtension(google::api::resource);
  auto resource = std::make_unique<Resource>();
  resource->type = type;
  resource->service = service;
  resource->prototype = google::protobuf::MessageFactory::generated_factory()->GetPrototype(type);
  resource->type_name = option.type();
  resource->collection = option.plural();
  resource->singular = option.singular();
  if (resource->collection.empty() ||
      option.pattern(0) != absl::StrCat(option.plural(), "/{", option.singular(), "}")) {
    return absl::InternalError(absl::StrCat(type->full_name(), ": no usable resource option"));
  }
  const char* const kCommon[] = {"name",        "uid",         "etag",       "revision",
                                 "create_time", "update_time", "delete_time"};
  for (int i = 0; i < 7; ++i) {
    const FieldDescriptor* field = type->FindFieldByNumber(i + 1);
    if (field == nullptr || field->name() != kCommon[i]) {
      return absl::InternalError(
          absl::StrCat(type->full_name(), ": field ", i + 1, " must be ", kCommon[i]));
    }
  }
  resource->plan = Plan(type);
  resource->columns = std::make_unique<query::Columns>(type, resource->collection);
  resources_.push_back(std::move(resource));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Registry>> Registry::FromFiles(
    absl::Span<const char* const> proto_files) {
  auto registry = std::make_unique<Registry>();
  std::string description = absl::StrCat("derivation ", kDerivation, "\n");
  for (const char* name : proto_files) {
    const FileDescriptor* file = DescriptorPool::generated_pool()->FindFileByName(name);
    if (file == nullptr) return absl::InternalError(absl::StrCat(name, " is not in this binary"));
    absl::StrAppend(&description, file->DebugString());
    registry->contract_size_ += SizeOf(file);
    for (int i = 0; i < file->service_count(); ++i) {
      registry->services_.push_back(file->service(i));
      absl::Status status = registry->AddResource(file->service(i));
      if (!status.ok()) return status;
    }
  }
  // References name types; they are checked by collection.
  for (auto& [type, plan] : registry->plans_) {
    for (FieldPlan& field : plan->fields) {
      if (field.reference.empty() || field.reference == "*") continue;
      auto found = std::find_if(registry->resources_.begin(), registry->resources_.end(),
                                [&](const auto& r) { return r->type_name == field.reference; });
      if (found == registry->resources_.end()) {
        return absl::InternalError(
            absl::StrCat(field.field->full_name(), ": no resource ", field.reference));
      }
      field.reference = (*found)->collection;
    }
  }
  registry->fingerprint_ = values::Sha256Hex(description);
  return registry;
}

std::vector<store::Table> Registry::Tables() const {
  std::vector<store::Table> tables;
  tables.reserve(resources_.size());
  for (const auto& resource : resources_) tables.push_back(resource->columns->table());
  return tables;
}

const Resource* Registry::FindByCollection(absl::string_view collection) const {
  for (const auto& resource : resources_) {
    if (resource->collection == collection) return resource.get();
  }
  return nullptr;
}

const Resource* Registry::FindByType(absl::string_view full_name) const {
  for (const auto& resource : resources_) {
    if (resource->type->full_name() == full_name) return resource.get();
  }
  return nullptr;
}

const Resource* Registry::ParseName(absl::string_view name, absl::string_view* id) const {
  size_t slash = name.find('/');
  if (slash == absl::string_view::npos) return nullptr;
  *id = name.substr(slash + 1);
  return ValidId(*id) ? FindByCollection(name.substr(0, slash)) : nullptr;
}

}  // namespace detente::engine
