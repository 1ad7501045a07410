// The records around a record. The graph of a revision: records that are live there, and the
// references that they make to records.
#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "api/method.h"
#include "api/page.h"
#include "api/request.h"
#include "detente/v1/query_service.pb.h"
#include "engine/references.h"
#include "engine/validate.h"
#include "error/error.h"

namespace detente::api {
namespace {

using engine::Resource;
using v1::FindNeighborsRequest;
using v1::FindNeighborsResponse;

constexpr int kMaxDepth = 3;
constexpr int kDefaultRecords = 100;
constexpr int kMaxRecords = 1'000;
constexpr int kRowsBetweenChecks = 1'024;
constexpr absl::string_view kNotUnlessAsked = "sources";

// The least names of a level, as many as there is room for.
class Least {
 public:
  explicit Least(size_t room) : room_(room) {}

  // Whether a name that is not less than `name` can still be among them.
  bool CanTake(const std::string& name) const {
    return names_.size() < room_ || (room_ > 0 && name < *names_.rbegin());
  }
  void Take(const std::string& name) {
    if (!CanTake(name)) {
      left_out_ = left_out_ || !names_.contains(name);
      return;
    }
    if (!names_.insert(name).second || names_.size() <= room_) return;
    names_.erase(std::prev(names_.end()));
    left_out_ = true;
  }
  bool left_out() const { return left_out_; }
  const std::set<std::string>& names() const { return names_; }

 private:
  const size_t room_;
  std::set<std::string> names_;
  bool left_out_ = false;
};

class Walk {
 public:
  Walk(const Call& call, const store::ReadView& view, store::Reader* reader,
       absl::flat_hash_set<std::string> collections)
      : call_(call), view_(view), reader_(reader), collections_(std::move(collections)) {
    for (const auto& resource : call.engine.registry().resources()) {
      if (collections_.contains(resource->collection)) ordered_.insert(resource->collection);
    }
  }

  absl::StatusOr<FindNeighborsResponse> From(const std::string& name, int depth, size_t max_records,
                                             FindNeighborsRequest::Direction direction) {
    Add(name, 0);
    std::vector<std::string> level = {name};
    for (int distance = 1; distance <= depth && !level.empty(); ++distance) {
      Least next(max_records + 1 - distances_.size());
      for (const std::string& one : level) {
        absl::Status status = Check();
        if (status.ok() && direction != FindNeighborsRequest::INCOMING) {
          status = Outgoing(one, &next);
        }
        if (status.ok() && direction != FindNeighborsRequest::OUTGOING) {
          status = Incoming(one, &next);
        }
        if (!status.ok()) return status;
      }
      level.assign(next.names().begin(), next.names().end());
      for (const std::string& one : level) Add(one, distance);
      if (next.left_out()) {
        response_.set_truncated(true);
        break;
      }
    }
    if (absl::Status s = Describe(); !s.ok()) return s;
    response_.set_revision(view_.revision);
    return std::move(response_);
  }

 private:
  void Add(const std::string& name, int distance) {
    distances_.emplace(name, distance);
    auto* node = response_.add_nodes();
    node->set_name(name);
    node->set_distance(distance);
  }

  bool Wanted(absl::string_view name) const {
    return collections_.contains(name.substr(0, name.find('/'))) && !distances_.contains(name);
  }

  // The version of a record that is live; none where it is not.
  absl::StatusOr<std::optional<store::Version>> Live(const std::string& name,
                                                     const Resource** resource) {
    absl::string_view id;
    *resource = call_.engine.registry().ParseName(name, &id);
    if (*resource == nullptr) return std::nullopt;  // of a collection that there was once
    auto version = reader_->Get((*resource)->collection, id, view_);
    if (!version.ok() || !version->has_value() || (*version)->delete_time == 0) return version;
    return std::nullopt;
  }

  absl::Status Outgoing(const std::string& name, Least* next) {
    const Resource* resource;
    auto version = Live(name, &resource);
    if (!version.ok() || !version->has_value()) return version.status();
    auto record = engine::ParsePayload(*resource, **version);
    if (!record.ok()) return record.status();
    for (const std::string& target : engine::Targets(engine::References(*resource, **record))) {
      if (Wanted(target)) next->Take(target);
    }
    return absl::OkStatus();
  }

  // Reads no more of a record's referrers than can be among the least.
  absl::Status Incoming(const std::string& name, Least* next) {
    for (const std::string& collection : ordered_) {
      absl::Status inner;
      absl::Status status =
          reader_->ReferrersAt(name, view_, absl::StrCat(collection, "/"),
                               absl::StrCat(collection, "0"), [&](const std::string& referrer) {
                                 if (++rows_ % kRowsBetweenChecks == 0) inner = Check();
                                 if (!inner.ok()) return false;
                                 if (distances_.contains(referrer)) return true;
                                 next->Take(referrer);
                                 return next->CanTake(referrer) || !next->left_out();
                               });
      if (!status.ok()) return status;
      if (!inner.ok()) return inner;
    }
    return absl::OkStatus();
  }

  // What the nodes are called, and the edges between them.
  absl::Status Describe() {
    std::set<engine::Reference> edges;
    size_t bytes = 0;
    for (auto& node : *response_.mutable_nodes()) {
      if (absl::Status s = Check(); !s.ok()) return s;
      const Resource* resource;
      auto version = Live(node.name(), &resource);
      if (!version.ok()) return version.status();
      node.set_missing(!version->has_value());
      if (!version->has_value()) continue;
      auto record = engine::ParsePayload(*resource, **version);
      if (!record.ok()) return record.status();
      const auto* field = resource->type->FindFieldByNumber(engine::kDisplayName);
      node.set_display_name((*record)->GetReflection()->GetString(**record, field));
      bytes += node.ByteSizeLong();
      edges.clear();  // of this one; a path of a list may be there twice
      for (engine::Reference& reference : engine::References(*resource, **record)) {
        if (!reference.list.empty() || !distances_.contains(reference.record)) continue;
        edges.insert(std::move(reference));
      }
      for (const engine::Reference& reference : edges) {
        auto* edge = response_.add_edges();
        edge->set_source(node.name());
        edge->set_path(reference.path);
        edge->set_target(reference.record);
        bytes += edge->ByteSizeLong() + 4;
      }
      if (bytes > kMaxAnswerBytes) {
        return InvalidFields(
            {{"max_records",
              absl::StrCat("the records and the references between them take more than ",
                           kMaxAnswerBytes,
                           " bytes; ask for fewer records, a lesser depth, or some collections")}},
            v1::LIMIT_EXCEEDED);
      }
    }
    std::sort(response_.mutable_edges()->pointer_begin(), response_.mutable_edges()->pointer_end(),
              [](const auto* a, const auto* b) {
                return std::tie(a->source(), a->path(), a->target()) <
                       std::tie(b->source(), b->path(), b->target());
              });
    return absl::OkStatus();
  }

  absl::Status Check() const { return CheckCall(call_.context); }

  const Call& call_;
  const store::ReadView view_;
  store::Reader* const reader_;
  const absl::flat_hash_set<std::string> collections_;
  std::set<std::string> ordered_;  // the same, in the order of their names
  absl::flat_hash_map<std::string, int> distances_;
  FindNeighborsResponse response_;
  int rows_ = 0;
};

absl::StatusOr<absl::flat_hash_set<std::string>> CollectionsOf(
    const engine::Registry& registry, const FindNeighborsRequest& request) {
  absl::flat_hash_set<std::string> collections;
  absl::Status status;
  for (int i = 0; i < request.collections_size(); ++i) {
    const Resource* resource;
    Collect(FindCollection(registry, request.collections(i), absl::StrCat("collections[", i, "]"),
                           &resource),
            &status);
    if (resource != nullptr) collections.insert(resource->collection);
  }
  if (!status.ok()) return status;
  if (collections.empty()) {
    for (const auto& resource : registry.resources()) {
      if (resource->collection != kNotUnlessAsked) collections.insert(resource->collection);
    }
  }
  return collections;
}

absl::StatusOr<Bytes> FindNeighbors(const Call& call) {
  const auto& request = static_cast<const FindNeighborsRequest&>(call.request);
  const engine::Registry& registry = call.engine.registry();
  const Resource* resource;
  std::string id;
  absl::Status status = ParseAnyName(registry, request.name(), "name", &resource, &id);
  std::vector<Violation> violations;
  if (request.depth() < 0 || request.depth() > kMaxDepth) {
    violations.push_back(
        {"depth", absl::StrCat("from 1 to ", kMaxDepth, " expected, got ", request.depth())});
  }
  if (request.max_records() < 0) {
    violations.push_back(
        {"max_records", absl::StrCat("from 0 on expected, got ", request.max_records())});
  }
  if (!FindNeighborsRequest::Direction_IsValid(request.direction())) {
    violations.push_back(
        {"direction", absl::StrCat("OUTGOING or INCOMING expected, got ", request.direction())});
  }
  if (!violations.empty()) Collect(InvalidFields(violations), &status);
  auto collections = CollectionsOf(registry, request);
  Collect(collections.status(), &status);
  if (!status.ok()) return status;
  auto view = ViewOf(call);
  if (!view.ok()) return view.status();
  if (auto version = call.engine.Get(*resource, id, *view); !version.ok()) return version.status();
  auto reader = call.engine.LeaseReader();
  if (!reader.ok()) return reader.status();
  Walk walk(call, *view, &**reader, *std::move(collections));
  auto response = walk.From(request.name(), std::max(request.depth(), 1),
                            static_cast<size_t>(request.max_records() == 0
                                                    ? kDefaultRecords
                                                    : std::min(request.max_records(), kMaxRecords)),
                            request.direction());
  if (!response.ok()) return response.status();
  return std::make_shared<std::string>(response->SerializeAsString());
}

}  // namespace

void HandleFindNeighbors(const Call& call, Done done) { done(FindNeighbors(call)); }

}  // namespace detente::api
