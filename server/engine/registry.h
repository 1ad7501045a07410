// What the engine knows of the resources, all of it read from their descriptors at start:
// collections, and for each message type the checks that its fields ask for.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "query/columns.h"

namespace detente::engine {

// Of a text, by the field's name, which the AIPs fix.
enum class Format {
  kAny,
  kRegion,       // region_code, nationalities
  kSubdivision,  // subdivision_code
  kLanguage,     // language_code
  kScript,       // script_code
  kCurrency,     // currency_code
  kUrl,          // url
  kSha256,       // content_sha256
};

struct TypePlan;

struct FieldPlan {
  const google::protobuf::FieldDescriptor* field;
  bool required = false;
  bool output_only = false;
  Format format = Format::kAny;
  size_t max_bytes = 0;
  std::string reference;  // the collection that a resource name must belong to, "*" for any; empty
                          // = no reference
  std::string element_record;  // with element_list: the field that names the record, empty = this
                               // record itself
  std::string element_list;    // the list that holds the element which this field names
  const TypePlan* message = nullptr;
};

struct TypePlan {
  enum class Kind { kPlain, kDate, kEstimate, kLatLng };
  const google::protobuf::Descriptor* type;
  Kind kind = Kind::kPlain;
  const google::protobuf::FieldDescriptor* id = nullptr;  // of an element of a list
  bool refers = false;                                    // it or a message in it holds references
  std::vector<FieldPlan> fields;
};

struct Resource {
  const google::protobuf::Descriptor* type;
  const google::protobuf::Message* prototype;
  const google::protobuf::ServiceDescriptor* service;
  std::string type_name;   // "detente.dev/Release"
  std::string collection;  // "releases"
  std::string singular;    // "release"
  const TypePlan* plan;
  std::unique_ptr<const query::Columns> columns;

  std::string Name(absl::string_view id) const;
};

// The fields that every resource carries under the same numbers.
enum CommonField : int {
  kName = 1,
  kUid = 2,
  kEtag = 3,
  kRevision = 4,
  kCreateTime = 5,
  kUpdateTime = 6,
  kDeleteTime = 7,
  kDisplayName = 8,
  kReviewState = 9,
  kVisibility = 10,
  kRestrictedFields = 11,
  kCitations = 12,
  kFirstOwn = 20,
};

class Registry {
 public:
  // Reads all services of the files, which must be linked into the binary. Fails on a contract that
  // breaks the conventions.
  static absl::StatusOr<std::unique_ptr<Registry>> FromFiles(
      absl::Span<const char* const> proto_files);

  const std::vector<std::unique_ptr<Resource>>& resources() const { return resources_; }
  const std::vector<const google::protobuf::ServiceDescriptor*>& services() const {
    return services_;
  }
  // What a store must have for them.
  std::vector<store::Table> Tables() const;
  const Resource* FindByCollection(absl::string_view collection) const;
  const Resource* FindByType(absl::string_view full_name) const;
  // The resource and id of a resource name; null where it is none.
  const Resource* ParseName(absl::string_view name, absl::string_view* id) const;
  // Changes with anything that stored data is derived by.
  const std::string& fingerprint() const { return fingerprint_; }
  // The number of fields and enum values that the contract has. It only grows, so of two contracts
  // the larger is the newer.
  int64_t contract_size() const { return contract_size_; }

 private:
  const TypePlan* Plan(const google::protobuf::Descriptor* type);
  absl::Status AddResource(const google::protobuf::ServiceDescriptor* service);

  std::vector<std::unique_ptr<Resource>> resources_;
  std::vector<const google::protobuf::ServiceDescriptor*> services_;
  absl::flat_hash_map<const google::protobuf::Descriptor*, std::unique_ptr<TypePlan>> plans_;
  std::string fingerprint_;
  int64_t contract_size_ = 0;
};

// `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`, of records and of elements.
bool ValidId(absl::string_view id);

// What the new ids of erased records begin with; callers can't take such an id.
constexpr absl::string_view kErasedPrefix = "erased-";

// 16 random bytes.
std::string NewSalt();

// A new UUID of version 7: ids that were made later sort later.
std::string NewUuid();

}  // namespace detente::engine
