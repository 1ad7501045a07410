// Erasure of records.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "api/method.h"
#include "api/request.h"
#include "detente/v1/record_service.pb.h"
#include "engine/validate.h"
#include "error/error.h"

namespace detente::api {
namespace {

constexpr int kMaxErasedNames = 100;
constexpr size_t kMaxMentionBytes = 2 << 20;
constexpr size_t kMaxMentionedRevisions = 100;

absl::StatusOr<Bytes> EraseRecords(const Call& call) {
  if (absl::Status s = engine::RejectUnknownFields(call.request, ""); !s.ok()) return s;
  const auto& request = static_cast<const v1::EraseRecordsRequest&>(call.request);
  if (request.names().empty()) return InvalidField("names", "at least one is required");
  if (request.names_size() > kMaxErasedNames) {
    return InvalidFields(
        {{"names", absl::StrCat("at most ", kMaxErasedNames, ", got ", request.names_size())}},
        v1::LIMIT_EXCEEDED);
  }
  engine::EraseRequest erase;
  erase.caller = call.context.caller;
  erase.method = call.method.descriptor->full_name();
  erase.request_id = request.request_id();
  erase.reason = request.reason();
  erase.validate_only = request.validate_only();
  absl::Status status = engine::CheckCommitTexts(request.request_id(), request.reason());
  for (int i = 0; i < request.names_size(); ++i) {
    auto& [resource, id] = erase.records.emplace_back();
    Collect(ParseAnyName(call.engine.registry(), request.names(i), absl::StrCat("names[", i, "]"),
                         &resource, &id),
            &status);
  }
  if (!status.ok()) return status;
  auto result = call.engine.Erase(erase);
  if (!result.ok()) return result.status();
  v1::EraseRecordsResponse response;
  for (std::string& name : result->names) response.add_names(std::move(name));
  response.set_revision(result->revision);
  response.set_rewritten_count(result->rewritten);
  response.set_mention_count(static_cast<int64_t>(result->mentions.size()));
  size_t bytes = 0;
  for (const engine::Mention& mention : result->mentions) {
    v1::EraseRecordsResponse::Mention out;
    out.set_name(mention.name);
    const size_t size = mention.revisions.size();
    for (size_t i = size - std::min(size, kMaxMentionedRevisions); i < size; ++i) {
      out.add_revisions(mention.revisions[i]);
    }
    bytes += out.ByteSizeLong() + 8;
    if (bytes > kMaxMentionBytes) break;
    *response.add_mentions() = std::move(out);
  }
  return std::make_shared<std::string>(response.SerializeAsString());
}

}  // namespace

void HandleEraseRecords(const Call& call, Done done) { done(EraseRecords(call)); }

}  // namespace detente::api
