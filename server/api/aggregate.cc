// Totals over many records: AggregateRecords and ComputeStock.
#include "query/aggregate.h"

#include <optional>
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
  const engine::Resource* resource;
  absl::Status status =
      FindCollection(call.engine.registry(), request.collection(), "collection", &resource);
  if (!status.ok()) return status;
  auto aggregation = query::ParseAggregation(request, resource->type);
  auto selected = SelectedOf(call, *resource, /*in_groups=*/true);
  status = aggregation.status();
  Collect(selected.status(), &status);
  if (!status.ok()) return status;
  auto view = ViewOf(call);
  if (!view.ok()) return view.status();
  selected->selection.view = *view;
  std::optional<query::Grouping> grouping;
  auto forget = [&] {
    grouping.emplace(*aggregation, [&call] { return CheckCall(call.context); });
  };
  forget();
  status = VisitRows(call, *resource, *selected, aggregation->Leaves(),
                     {[&](absl::Span<const query::Datum> values) { return grouping->Add(values); },
                      [&](absl::Span<const query::LeafCells> leaves,
                          absl::Span<const int32_t> rows) { return grouping->Add(leaves, rows); },
                      [&](const Message& record) { return grouping->Add(record); }, forget});
  if (!status.ok()) return status;
  v1::AggregateRecordsResponse response;
  status = grouping->Finish(&response);
  if (!status.ok()) return status;
  response.set_revision(view->revision);
  return Encode(response, "max_groups", "ask for fewer groups, or fewer measures");
}

absl::StatusOr<Bytes> ComputeStock(const Call& call) {
  const auto& request = static_cast<const v1::ComputeStockRequest&>(call.request);
  const engine::Resource* resource;
  absl::Status status =
      FindCollection(call.engine.registry(), request.collection(), "collection", &resource);
  if (!status.ok()) return status;
  auto query = query::ParseStockQuery(request, resource->type);
  auto selected = SelectedOf(call, *resource);
  status = query.status();
  Collect(selected.status(), &status);
  if (!status.ok()) return status;
  auto view = ViewOf(call);
  if (!view.ok()) return view.status();
  selected->selection.view = *view;
  std::optional<query::Stock> stock;
  auto forget = [&] { stock.emplace(*query); };
  forget();
  status = VisitRows(call, *resource, *selected, query->Leaves(),
                     {[&](absl::Span<const query::Datum> values) { return stock->Add(values); },
                      [&](absl::Span<const query::LeafCells> leaves,
                          absl::Span<const int32_t> rows) { return stock->Add(leaves, rows); },
                      [&](const Message& record) { return stock->Add(record); }, forget});
  if (!status.ok()) return status;
  v1::ComputeStockResponse response;
  stock->Write(&response);
  response.set_revision(view->revision);
  return Encode(response, "step", "take a longer step, or fewer days or series");
}

}  // namespace

void HandleAggregateRecords(const Call& call, Done done) { done(AggregateRecords(call)); }
void HandleComputeStock(const Call& call, Done done) { done(ComputeStock(call)); }

}  // namespace detente::api
