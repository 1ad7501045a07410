#include "findings/context.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "error/error.h"

namespace detente::findings {
namespace {

using engine::Resource;
using google::protobuf::Message;
using store::Version;

constexpr size_t kBatchRecords = 256;
constexpr size_t kBatchBytes = 4 << 20;
constexpr size_t kMaxStates = 100'000;
constexpr size_t kMaxCachedBytes = 8 << 20;
constexpr int64_t kMicrosPerDay = 86'400'000'000;

}  // namespace

Context::Context(engine::Engine& engine, const store::ReadView& view,
                 absl::FunctionRef<absl::Status()> go_on)
    : engine_(engine), view_(view), go_on_(go_on) {}

bool Context::GoOn() {
  if (status_.ok()) status_ = go_on_();
  return status_.ok();
}

int64_t Context::Today() {
  if (!today_.has_value()) {
    auto time = engine_.CommitTime(view_);
    if (!time.ok()) {
      if (status_.ok()) status_ = time.status();
      return 0;
    }
    today_ = *time / kMicrosPerDay - (*time % kMicrosPerDay < 0 ? 1 : 0);
  }
  return *today_;
}

bool Context::Parse(const Resource& resource, const Version& version, Message* out) {
  if (out->ParseFromString(version.payload)) return true;
  status_ = absl::DataLossError(
      absl::StrCat(resource.Name(version.id), ": its stored bytes can't be read"));
  return false;
}

void Context::Scan(const Resource& resource, absl::string_view from,
                   absl::FunctionRef<bool(const std::string&, const Message&)> visit) {
  std::unique_ptr<Message> record(resource.prototype->New());
  std::vector<Version> batch;
  std::string after;
  if (!from.empty()) {
    // The store lists what comes after an id; the record itself is asked for.
    auto version = engine_.Get(resource, from, view_);
    if (version.ok()) {
      if (version->delete_time == 0) batch.push_back(*std::move(version));
    } else if (!absl::IsNotFound(version.status())) {
      status_ = version.status();
    }
    after = std::string(from);
  }
  while (GoOn()) {
    size_t bytes = 0;
    bool last = true;  // batch
    absl::Status status = engine_.List(resource, after, view_, false, [&](Version& version) {
      bytes += version.payload.size();
      batch.push_back(std::move(version));
      last = batch.size() < kBatchRecords && bytes < kBatchBytes;
      return last;
    });
    if (!status.ok()) status_ = status;
    if (batch.empty()) return;
    after = std::max(after, batch.back().id);
    for (const Version& version : batch) {
      if (!GoOn() || !Parse(resource, version, record.get()) ||
          !visit(resource.Name(version.id), *record)) {
        return;
      }
    }
    if (last) return;
    batch.clear();
  }
}

State Context::StateOf(const std::string& name) {
  if (auto found = states_.find(name); found != states_.end()) return found->second;
  absl::string_view id;
  const Resource* resource = registry().ParseName(name, &id);
  if (resource == nullptr || !GoOn()) return State::kMissing;
  State state = State::kLive;
  auto version = engine_.Get(*resource, id, view_);
  if (!version.ok() && !absl::IsNotFound(version.status())) {
    status_ = version.status();
    return State::kMissing;
  }
  if (absl::StartsWith(id, engine::kErasedPrefix)) {
    state = State::kErased;
  } else if (!version.ok()) {
    state = State::kMissing;
  } else if (version->delete_time != 0) {
    state = State::kDeleted;
  }
  if (states_.size() >= kMaxStates) states_.clear();
  states_.emplace(name, state);
  return state;
}

std::shared_ptr<const Message> Context::Live(const std::string& name) {
  if (auto found = records_.find(name); found != records_.end()) return found->second;
  absl::string_view id;
  const Resource* resource = registry().ParseName(name, &id);
  if (resource == nullptr || !GoOn()) return nullptr;
  std::shared_ptr<Message> record;
  size_t bytes = 0;
  auto version = engine_.Get(*resource, id, view_);
  if (!version.ok() && !absl::IsNotFound(version.status())) {
    status_ = version.status();
    return nullptr;
  }
  if (version.ok() && version->delete_time == 0) {
    record.reset(resource->prototype->New());
    if (!Parse(*resource, *version, record.get())) return nullptr;
    bytes = version->payload.size();
  }
  // A message takes some multiple of its bytes, and some hundreds if it is empty.
  bytes = 4 * bytes + 512;
  if (cached_bytes_ + bytes > kMaxCachedBytes) {
    records_.clear();
    cached_bytes_ = 0;
  }
  cached_bytes_ += bytes;
  records_.emplace(name, record);
  return record;
}

void Run::ForEach(
    absl::Span<const absl::string_view> collections,
    absl::FunctionRef<void(const std::string&, const Message&, std::vector<Finding>*)> visit) {
  for (const absl::string_view collection : collections) {
    const Resource* resource = context_.registry().FindByCollection(collection);
    absl::string_view from;
    absl::string_view started = absl::string_view(start_.record);
    if (const size_t slash = started.find('/'); slash != absl::string_view::npos) {
      // Collections come in the order of their names: those before it are done.
      if (started.substr(0, slash) > collection) continue;
      if (started.substr(0, slash) == collection) from = started.substr(slash + 1);
    }
    bool more = true;
    context_.Scan(*resource, from, [&](const std::string& name, const Message& record) {
      std::vector<Finding> found;
      visit(name, record, &found);
      more = context_.ok() && Deliver(name, std::move(found));
      return more;
    });
    if (!more || !context_.ok()) return;
  }
}

bool Run::Deliver(const std::string& name, std::vector<Finding> found) {
  std::sort(found.begin(), found.end(), [](const Finding& a, const Finding& b) {
    return std::tie(a.locations.front().path, a.description) <
           std::tie(b.locations.front().path, b.description);
  });
  const size_t taken = name == start_.record ? start_.taken : 0;
  for (size_t i = taken; i < found.size(); ++i) {
    if (!take_(found[i], name, i)) return false;
  }
  return true;
}

std::string ElementPath(absl::string_view list, absl::string_view id, absl::string_view field) {
  return absl::StrCat(list, "[\"", id, "\"]", field.empty() ? "" : ".", field);
}

}  // namespace detente::findings
