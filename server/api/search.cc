// SearchRecords: what is found is scored, counted and put in order by the store; here it is
// filtered, cut into pages, and shown.
#include "query/search.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "api/method.h"
#include "api/page.h"
#include "api/request.h"
#include "api/selected.h"
#include "detente/v1/query_service.pb.h"
#include "engine/validate.h"
#include "error/error.h"
#include "query/highlight.h"
#include "values/wire.h"

namespace detente::api {
namespace {

using engine::Resource;
using store::SearchCounts;
using store::SearchHit;
using store::SearchStatistics;
using values::AppendVarint;

struct Found {
  double score;
  std::string id;
  const Resource* resource;

  std::string Name() const { return absl::StrCat(resource->collection, "/", id); }
};

// What a page token carries: the last hit, and the statistics that all pages are scored with.
struct Position {
  double score = 0;
  std::string name;
  SearchStatistics statistics;

  std::string Encode() const;
  static absl::StatusOr<Position> Decode(absl::string_view bytes);
};

std::optional<uint64_t> TakeVarint(absl::string_view* bytes) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64 && !bytes->empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes->front());
    bytes->remove_prefix(1);
    value |= uint64_t{byte & 0x7Fu} << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

std::string Position::Encode() const {
  uint64_t bits = 0;
  std::memcpy(&bits, &score, sizeof bits);
  std::string out;
  AppendVarint(bits, &out);
  AppendVarint(static_cast<uint64_t>(statistics.documents), &out);
  AppendVarint(static_cast<uint64_t>(statistics.words), &out);
  AppendVarint(statistics.frequencies.size(), &out);
  for (const int64_t count : statistics.frequencies)
    AppendVarint(static_cast<uint64_t>(count), &out);
  return out + name;
}

absl::StatusOr<Position> Position::Decode(absl::string_view bytes) {
  Position position;
  const auto bits = TakeVarint(&bytes), documents = TakeVarint(&bytes), words = TakeVarint(&bytes),
             size = TakeVarint(&bytes);
  if (!bits || !documents || !words || !size) {
    return absl::InternalError("a sealed page token holds no position");
  }
  std::memcpy(&position.score, &*bits, sizeof position.score);
  position.statistics.documents = static_cast<int64_t>(*documents);
  position.statistics.words = static_cast<int64_t>(*words);
  for (uint64_t i = 0; i < *size; ++i) {
    const auto count = TakeVarint(&bytes);
    if (!count) return absl::InternalError("a sealed page token holds no position");
    position.statistics.frequencies.push_back(static_cast<int64_t>(*count));
  }
  position.name = std::string(bytes);
  return position;
}

// The resources that are asked for; all where none is named.
absl::Status ResourcesOf(const Call& call, std::vector<const Resource*>* resources) {
  const engine::Registry& registry = call.engine.registry();
  const auto* reflection = call.request.GetReflection();
  const auto* field = FieldOf(call.request, "collections");
  const int count = reflection->FieldSize(call.request, field);
  absl::Status status;
  for (int i = 0; i < count; ++i) {
    const Resource* resource = nullptr;
    Collect(FindCollection(registry, reflection->GetRepeatedString(call.request, field, i),
                           absl::StrCat("collections[", i, "]"), &resource),
            &status);
    if (resource != nullptr) resources->push_back(resource);
  }
  for (const auto& resource : registry.resources()) {
    if (count == 0) resources->push_back(resource.get());
  }
  std::sort(resources->begin(), resources->end(),
            [](const Resource* a, const Resource* b) { return a->collection < b->collection; });
  resources->erase(std::unique(resources->begin(), resources->end()), resources->end());
  return status;
}

// So many hits of a collection are looked at one by one before the store selects by the filter.
constexpr int kLookedAt = 1'000;

using Filters = std::map<const Resource*, Selected>;

// For each resource the filter that is asked for; none where none is.
absl::Status FiltersOf(const Call& call, const std::vector<const Resource*>& resources,
                       Filters* filters) {
  if (GetString(call.request, "filter").empty()) return absl::OkStatus();
  absl::Status status;
  for (const Resource* resource : resources) {
    auto selected = SelectedOf(call, *resource);
    if (selected.ok()) {
      filters->emplace(resource, *std::move(selected));
    } else if (status.ok()) {
      status = selected.status();
    }
  }
  if (!status.ok() && !filters->empty()) {
    // It is right for some: those are what is missing.
    Collect(InvalidField("collections", "those expected that have all fields of the filter"),
            &status);
  }
  return status;
}

class Searcher {
 public:
  explicit Searcher(const Call& call) : call_(call) {}

  absl::StatusOr<Bytes> Run() {
    absl::Status status = Read();
    if (!status.ok()) return status;
    auto leased = call_.engine.LeaseReader();
    if (!leased.ok()) return leased.status();
    store::Reader& reader = **leased;
    // Of a filter's records all may be needed.
    const size_t most = filters_.empty() ? static_cast<size_t>(page_.size) + 1 : SIZE_MAX;
    std::vector<Found> found;
    auto counts = reader.Search(search_, &statistics_, [&](SearchHit& hit) {
      found.push_back({hit.score, std::move(hit.id), resources_.find(hit.collection)->second});
      return found.size() < most;
    });
    if (!counts.ok()) return counts.status();
    if (!filters_.empty()) {
      status = Filter(reader, &found, &*counts);
      if (!status.ok()) return status;
    }
    return Answer(reader, found, *counts);
  }

 private:
  absl::Status Read() {
    const std::string text = GetString(call_.request, "query");
    auto root = query::ParseSearch(text);
    absl::Status status = root.status();
    std::vector<const Resource*> resources;
    absl::Status known = ResourcesOf(call_, &resources);
    Collect(known, &status);
    if (known.ok()) Collect(FiltersOf(call_, resources, &filters_), &status);
    auto page = PageOf(call_);
    Collect(page.status(), &status);
    if (!status.ok()) return status;
    page_ = *std::move(page);
    first_ = page_.last.empty();
    if (!first_) {
      auto position = Position::Decode(page_.last);
      if (!position.ok()) return position.status();
      statistics_ = std::move(position->statistics);
      const size_t slash = position->name.find('/');
      search_.after = {position->name.substr(0, slash), position->name.substr(slash + 1),
                       position->score};
    }
    search_.view = page_.view;
    search_.root = *std::move(root);
    for (const Resource* resource : resources) {
      search_.collections.push_back(resource->collection);
      resources_.emplace(resource->collection, resource);
    }
    search_.check = [this] { return CheckCall(call_.context); };
    return absl::OkStatus();
  }

  // The record of a hit; null where an erasure has come between.
  absl::StatusOr<std::unique_ptr<google::protobuf::Message>> RecordOf(store::Reader& reader,
                                                                      const Found& found) {
    const Resource& resource = *found.resource;
    auto version = reader.Get(resource.collection, found.id, page_.view);
    if (!version.ok()) return version.status();
    if (!version->has_value()) return nullptr;
    return engine::ParseRecord(resource, **version);
  }

  // The ids of all records of a collection for which its filter may be true.
  absl::StatusOr<absl::flat_hash_set<std::string>> Select(store::Reader& reader,
                                                          const Resource& resource) {
    store::Selection selection = filters_.at(&resource).selection;
    selection.view = page_.view;
    absl::flat_hash_set<std::string> ids;
    absl::Status status = reader.Scan(resource.collection, selection, {store::kRowId},
                                      [&](absl::Span<const store::Value> row) {
                                        ids.insert(std::get<std::string>(row[0]));
                                        return true;
                                      });
    if (!status.ok()) return status;
    return ids;
  }

  // Leaves those that match. On the first page all are looked at, to count them; later on, as many
  // as are on the page.
  absl::Status Filter(store::Reader& reader, std::vector<Found>* found, SearchCounts* counts) {
    std::map<const Resource*, int> seen;
    std::map<const Resource*, absl::flat_hash_set<std::string>> selected;
    counts->clear();
    size_t kept = 0;
    for (Found& one : *found) {
      if (absl::Status s = search_.check(); !s.ok()) return s;
      const Selected& filter = filters_.at(one.resource);
      const bool many = ++seen[one.resource] > kLookedAt;
      if (many && selected.count(one.resource) == 0) {
        auto ids = Select(reader, *one.resource);
        if (!ids.ok()) return ids.status();
        selected.emplace(one.resource, *std::move(ids));
      }
      if (many && !selected[one.resource].contains(one.id)) continue;
      if (!many || !filter.exact()) {
        auto record = RecordOf(reader, one);
        if (!record.ok()) return record.status();
        if (*record == nullptr || !filter.filter.Matches(**record)) continue;
      }
      ++(*counts)[one.resource->collection];
      std::swap((*found)[kept], one);
      if (++kept > static_cast<size_t>(page_.size) && !first_) break;
    }
    found->resize(kept);
    return absl::OkStatus();
  }

  absl::StatusOr<Bytes> Answer(store::Reader& reader, const std::vector<Found>& hits,
                               const SearchCounts& counts) {
    PageFiller filler(call_, page_, "hits");
    for (const Found& found : hits) {
      auto record = RecordOf(reader, found);
      if (!record.ok()) return record.status();
      if (*record == nullptr) continue;
      Position position{found.score, found.Name(), statistics_};
      if (!filler.Take(EncodeHit(found, **record), position.Encode())) break;
    }
    if (absl::Status s = filler.status(); !s.ok()) return s;
    ResponseWriter& response = filler.response();
    response.SetText("next_page_token", filler.NextPageToken());
    if (first_) AddCounts(counts, &response);
    response.SetNumber("revision", page_.view.revision);
    return response.Take();
  }

  std::string EncodeHit(const Found& found, const google::protobuf::Message& record) {
    v1::SearchRecordsResponse::Hit hit;
    hit.set_name(found.Name());
    if (const auto names = query::NamesOf(record); !names.empty()) hit.set_display_name(names[0]);
    hit.set_score(found.score);
    for (query::Highlight& highlight : query::HighlightsOf(record, search_.root)) {
      auto* out = hit.add_highlights();
      out->set_path(std::move(highlight.path));
      for (query::Highlight::Part& part : highlight.parts) {
        auto* piece = out->add_parts();
        piece->set_text(std::move(part.text));
        piece->set_matched(part.matched);
      }
    }
    return engine::EncodePayload(hit);
  }

  static void AddCounts(const SearchCounts& counts, ResponseWriter* response) {
    std::vector<std::pair<int32_t, std::string>> facets;
    int32_t total = 0;
    for (const auto& [collection, count] : counts) {
      facets.emplace_back(-static_cast<int32_t>(count), collection);
      total += static_cast<int32_t>(count);
    }
    std::sort(facets.begin(), facets.end());
    for (const auto& [count, collection] : facets) {
      v1::SearchRecordsResponse::Facet facet;
      facet.set_collection(collection);
      facet.set_count(-count);
      response->Add("facets", engine::EncodePayload(facet));
    }
    response->SetNumber("total_size", total);
  }

  const Call& call_;
  store::SearchQuery search_;
  std::map<std::string, const Resource*> resources_;  // by collection
  Filters filters_;
  Page page_;
  bool first_ = true;
  SearchStatistics statistics_;
};

}  // namespace

void HandleSearchRecords(const Call& call, Done done) { done(Searcher(call).Run()); }

}  // namespace detente::api
