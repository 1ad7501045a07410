// Totals over many records: AggregateRecords and ComputeStock.
#include "query/aggregate.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "api/method.h"
#include "api/page.h"
#include "api/request.h"
#include "api/rows.h"
#include "detente/v1/query_service.pb.h"
#include "error/error.h"
#include "query/stock.h"

namespace detente::api {
namespace {

using google::protobuf::Message;

absl::StatusOr<Bytes> Encode(const Message& response, absl::string_view field,
                             absl::string_view advice) {
  auto bytes = std::make_shared<std::string>(response.SerializeAsString());
  if (bytes->size() <= kMaxAnswerBytes) return bytes;
  return InvalidFields({{std::string(field), absl::StrCat("the answer takes more than ",
                                                          kMaxAnswerBytes, " bytes; ", advice)}},
                       v1::LIMIT_EXCEEDED);
}

absl::StatusOr<Bytes> AggregateRecords(const Call& call) {
  const auto& request = static_cast<const v1::AggregateRecordsRequest&>(call.request);
  auto resource = CollectionOf(call.engine.registry(), request.collection(), "collection");
  if (!resource.ok()) return resource.status();
  auto aggregation = query::ParseAggregation(request, (*resource)->type);
  if (!aggregation.ok()) return aggregation.status();
  auto view = ViewOf(call);
  if (!view.ok()) return view.status();
  query::Grouping grouping(*aggregation);
  absl::Status status =
      VisitRows(call, **resource, *view, aggregation->Leaves(),
                {[&](absl::Span<const query::Datum> values) { return grouping.Add(values); },
                 [&](const Message& record) { return grouping.Add(record); }});
  if (!status.ok()) return status;
  v1::AggregateRecordsResponse response;
  status = grouping.Finish([&] { return CheckCall(call.context); }, &response);
  if (!status.ok()) return status;
  response.set_revision(view->revision);
  return Encode(response, "max_groups", "ask for fewer groups, or fewer measures");
}

absl::StatusOr<Bytes> ComputeStock(const Call& call) {
  const auto& request = static_cast<const v1::ComputeStockRequest&>(call.request);
  auto resource = CollectionOf(call.engine.registry(), request.collection(), "collection");
  if (!resource.ok()) return resource.status();
  auto query = query::ParseStockQuery(request, (*resource)->type);
  if (!query.ok()) return query.status();
  auto view = ViewOf(call);
  if (!view.ok()) return view.status();
  query::Stock stock(*query);
  absl::Status status =
      VisitRows(call, **resource, *view, query->Leaves(),
                {[&](absl::Span<const query::Datum> values) { return stock.Add(values); },
                 [&](const Message& record) { return stock.Add(record); }});
  if (!status.ok()) return status;
  v1::ComputeStockResponse response;
  stock.Write(&response);
  response.set_revision(view->revision);
  return Encode(response, "step", "take a longer step, or fewer days or series");
}

}  // namespace

void HandleAggregateRecords(const Call& call, Done done) { done(AggregateRecords(call)); }
void HandleComputeStock(const Call& call, Done done) { done(ComputeStock(call)); }

}  // namespace detente::api
