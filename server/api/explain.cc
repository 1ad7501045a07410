// QueryService.ExplainQuery.
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "api/method.h"
#include "api/page.h"
#include "api/request.h"
#include "api/selected.h"
#include "detente/v1/query_service.pb.h"
#include "error/error.h"

namespace detente::api {
namespace {

absl::StatusOr<Bytes> ExplainQuery(const Call& call) {
  const engine::Resource* resource = nullptr;
  absl::Status status = FindCollection(
      call.engine.registry(), GetString(call.request, "collection"), "collection", &resource);
  if (!status.ok()) return status;
  auto selected = SelectedOf(call, *resource);
  if (!selected.ok()) return selected.status();
  auto view = ViewOf(call);
  if (!view.ok()) return view.status();
  selected->selection.view = *view;
  selected->selection.limit = kDefaultPageSize;
  auto plan = call.engine.Explain(*resource, selected->selection);
  if (!plan.ok()) return plan.status();
  v1::ExplainQueryResponse response;
  response.set_filter(selected->filter.Text());
  for (const std::string& part : selected->lowered->lowered) {
    response.add_lowered_conditions(part);
  }
  for (const std::string& part : selected->lowered->residual) {
    response.add_residual_conditions(part);
  }
  for (std::string& index : plan->indexes) response.add_indexes(std::move(index));
  for (std::string& step : plan->steps) response.add_plan_steps(std::move(step));
  return std::make_shared<std::string>(response.SerializeAsString());
}

}  // namespace

void HandleExplainQuery(const Call& call, Done done) { done(ExplainQuery(call)); }

}  // namespace detente::api
