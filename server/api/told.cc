#include "api/told.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "api/request.h"
#include "engine/registry.h"
#include "error/error.h"
#include "evidence/dossier.h"
#include "evidence/told.h"

namespace detente::api {
namespace {

using google::protobuf::Message;
using v1::Evidence;

}  // namespace

absl::StatusOr<const v1::Source*> SourceCache::Find(absl::string_view name) {
  const auto found = sources_.find(name);
  if (found != sources_.end()) return found->second.get();
  std::unique_ptr<v1::Source> source;
  absl::string_view id;
  const engine::Resource* resource = engine_.registry().ParseName(name, &id);
  if (resource != nullptr && resource->type == v1::Source::descriptor()) {
    auto version = engine_.Get(*resource, id, view_);
    if (version.ok()) {
      source = std::make_unique<v1::Source>();
      if (!source->ParseFromString(version->payload)) {
        return absl::DataLossError(absl::StrCat(name, ": its stored bytes can't be read"));
      }
      source->clear_text();
      source->clear_citations();
    } else if (version.status().code() != absl::StatusCode::kNotFound) {
      return version.status();
    }
  }
  const v1::Source* kept = source.get();
  sources_.emplace(std::string(name), std::move(source));
  return kept;
}

absl::StatusOr<Telling> TellingOf(const Call& call) {
  Telling telling;
  telling.as_told_by = GetString(call.request, "as_told_by");
  const int policy = call.request.GetReflection()->GetEnumValue(
      call.request, FieldOf(call.request, "value_policy"));
  telling.policy = static_cast<Evidence::ValuePolicy>(policy);
  if (!Evidence::ValuePolicy_IsValid(policy)) {
    return InvalidField("value_policy", absl::StrCat("ValuePolicy has no value ", policy));
  }
  absl::string_view id;
  if (!telling.as_told_by.empty()) {
    const engine::Resource* resource = call.engine.registry().ParseName(telling.as_told_by, &id);
    if (resource == nullptr || resource->type != v1::Source::descriptor()) {
      return InvalidField("as_told_by",
                          absl::StrCat("`", telling.as_told_by.substr(0, 128),
                                       "`: the name of a source expected, as `sources/{source}`"));
    }
    if (policy != 0) {
      return InvalidField("value_policy", "goes without `as_told_by`: one source has one value");
    }
  }
  return telling;
}

absl::Status Teller::Check() {
  if (telling_.as_told_by.empty()) return absl::OkStatus();
  auto source = sources_.Find(telling_.as_told_by);
  if (!source.ok()) return source.status();
  if (*source != nullptr) return absl::OkStatus();
  return InvalidField("as_told_by",
                      absl::StrCat(telling_.as_told_by, ": there is no such source at this state"));
}

absl::StatusOr<std::unique_ptr<Message>> Teller::Tell(const engine::Resource& resource,
                                                      const Message& record) {
  const evidence::Dossier dossier(resource, record);
  if (!telling_.as_told_by.empty()) {
    if (!evidence::SpeaksOf(dossier, telling_.as_told_by)) return std::unique_ptr<Message>();
    return evidence::AsToldBy(dossier, telling_.as_told_by);
  }
  auto told = evidence::UnderPolicy(dossier, telling_.policy,
                                    [&](absl::string_view name) { return sources_.Find(name); });
  if (!told.ok() || *told != nullptr) return told;
  std::unique_ptr<Message> same(record.New());
  same->CopyFrom(record);
  return same;
}

std::unique_ptr<Message> Teller::Bare(const engine::Resource& resource, const Message& record) {
  return evidence::AsToldBy(evidence::Dossier(resource, record), "");
}

}  // namespace detente::api
