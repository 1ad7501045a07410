#include "findings/findings.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "api/method.h"
#include "api/page.h"
#include "api/request.h"
#include "detente/v1/finding.pb.h"
#include "engine/validate.h"
#include "error/error.h"

namespace detente::api {
namespace {

using findings::Check;
using findings::Finding;

// The checks that are asked for, in their own order.
absl::Status ChecksOf(const Call& call, std::vector<const Check*>* checks) {
  const auto* reflection = call.request.GetReflection();
  const auto* field = FieldOf(call.request, "checks");
  const int count = reflection->FieldSize(call.request, field);
  std::vector<Violation> violations;
  for (int i = 0; i < count; ++i) {
    const std::string name = reflection->GetRepeatedString(call.request, field, i);
    if (const Check* check = findings::FindCheck(name); check != nullptr) {
      checks->push_back(check);
      continue;
    }
    const std::string known = absl::StrJoin(
        findings::Checks(), ", ",
        [](std::string* out, const Check& check) { absl::StrAppend(out, check.name); });
    violations.push_back({absl::StrCat("checks[", i, "]"),
                          absl::StrCat("`", name.substr(0, 128), "`: no such check; did you mean `",
                                       findings::NearestCheck(name), "`? There are ", known)});
  }
  if (!violations.empty()) return InvalidFields(violations);
  if (count == 0) {
    for (const Check& check : findings::Checks()) checks->push_back(&check);
  }
  std::sort(checks->begin(), checks->end());
  checks->erase(std::unique(checks->begin(), checks->end()), checks->end());
  return absl::OkStatus();
}

absl::Status RecordOf(const Call& call, std::string* record) {
  *record = GetString(call.request, "record");
  absl::string_view id;
  if (record->empty() || call.engine.registry().ParseName(*record, &id) != nullptr) {
    return absl::OkStatus();
  }
  return InvalidField("record", absl::StrCat("`", record->substr(0, 128),
                                             "`: a record's name expected, as `persons/{person}`"));
}

std::string Encode(const Check& check, const Finding& finding) {
  v1::Finding message;
  message.set_check(std::string(check.name));
  message.set_severity(static_cast<v1::Finding::Severity>(finding.severity));
  message.set_description(finding.description);
  for (const findings::Location& location : finding.locations) {
    auto* out = message.add_locations();
    out->set_name(location.name);
    out->set_path(location.path);
  }
  return engine::EncodePayload(message);
}

absl::StatusOr<Bytes> ListFindings(const Call& call) {
  findings::Query query;
  absl::Status status = ChecksOf(call, &query.checks);
  Collect(RecordOf(call, &query.record), &status);
  auto page = PageOf(call);
  Collect(page.status(), &status);
  if (!status.ok()) return status;
  query.view = page->view;
  query.after = findings::Position::Decode(page->last);
  PageFiller filler(call, *page, "findings");
  status = findings::Find(
      call.engine, query, [&] { return filler.GoOn() ? absl::OkStatus() : filler.status(); },
      [&](const Check& check, const Finding& finding, const findings::Position& position) {
        return filler.Take(Encode(check, finding), position.Encode());
      });
  if (status.ok()) status = filler.status();
  if (!status.ok()) return status;
  filler.response().SetText("next_page_token", filler.NextPageToken());
  filler.response().SetNumber("revision", page->view.revision);
  return filler.response().Take();
}

}  // namespace

void HandleListFindings(const Call& call, Done done) { done(ListFindings(call)); }

}  // namespace detente::api
