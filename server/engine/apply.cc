// One commit inside the writer's transaction: what needs other records, and the order of commits.
#include <algorithm>
#include <iterator>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/derived/derived.h"
#include "engine/engine.h"
#include "engine/references.h"
#include "engine/review.h"
#include "engine/validate.h"
#include "error/error.h"
#include "google/rpc/error_details.pb.h"

namespace detente::engine {
namespace {

using google::protobuf::Message;

constexpr int kMaxNamedReferrers = 10;

store::Change ChangeOf(const Operation& operation, const store::Version& version, bool changed) {
  if (!changed) return store::Change::kUnchanged;
  switch (operation.kind) {
    case Operation::Kind::kCreate:
      return store::Change::kCreated;
    case Operation::Kind::kUpdate:  // one may create
      return version.create_time == version.update_time ? store::Change::kCreated
                                                        : store::Change::kUpdated;
    case Operation::Kind::kDelete:
      return store::Change::kDeleted;
    case Operation::Kind::kUndelete:
      return store::Change::kUndeleted;
    case Operation::Kind::kRollback:
      return store::Change::kRolledBack;
  }
  return store::Change::kUnknown;
}

absl::Status NotFound(const std::string& name, absl::string_view why) {
  return Error(absl::StatusCode::kNotFound, v1::RECORD_NOT_FOUND, absl::StrCat(name, ": ", why),
               {{"name", name}});
}

absl::Status Exists(const std::string& name, const store::Version& version) {
  const std::string state = version.payload.empty()    ? "erased"
                            : version.delete_time != 0 ? "deleted"
                                                       : "live";
  return Error(absl::StatusCode::kAlreadyExists, v1::RECORD_EXISTS,
               absl::StrCat(name, ": the id is taken by a record that is ", state,
                            "; an id is never given again"),
               {{"name", name}, {"state", state}});
}

// A failure of the request's own, after which the store is still sound.
bool IsOfRequest(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kFailedPrecondition:
      return true;
    default:
      return false;
  }
}

// One operation, and what the checks after all of them need.
class Application {
 public:
  Application(store::Writer* writer, const Registry& registry, store::Revision revision,
              int64_t time, absl::string_view reason)
      : writer_(writer),
        registry_(registry),
        revision_(revision),
        time_(time),
        reasoned_(!reason.empty()) {}

  absl::Status Run(size_t index, Operation& operation, Written* written) {
    index_ = index;
    const Resource& resource = *operation.resource;
    const std::string name = resource.Name(operation.id);
    auto stored = writer_->Get(resource.collection, operation.id, kNewest);
    if (!stored.ok()) return stored.status();
    written->resource = &resource;
    const bool exists = stored->has_value();
    const bool live = exists && (*stored)->delete_time == 0;
    if (!operation.etag.empty() && exists && operation.kind != Operation::Kind::kCreate &&
        operation.etag != Etag(**stored)) {
      return Error(absl::StatusCode::kAborted, v1::ETAG_MISMATCH,
                   absl::StrCat(name, ": has changed since it was read (revision ",
                                (*stored)->since, "); read it again"),
                   {{"name", name}, {"etag", Etag(**stored)}});
    }
    switch (operation.kind) {
      case Operation::Kind::kCreate:
        if (exists) return Exists(name, **stored);
        return Create(operation, written);
      case Operation::Kind::kUpdate:
        if (exists && !live) {
          return operation.allow_missing ? Exists(name, **stored)
                                         : NotFound(name, "is deleted; undelete it first");
        }
        if (exists) return Update(operation, **std::move(stored), written);
        if (!operation.allow_missing) return NotFound(name, "no such record");
        return Create(operation, written);
      case Operation::Kind::kDelete:
        if (!live) return NotFound(name, exists ? "is deleted already" : "no such record");
        return Delete(operation, **std::move(stored), written);
      case Operation::Kind::kRollback:
        if (!live)
          return NotFound(name, exists ? "is deleted; undelete it first" : "no such record");
        return Rollback(operation, **std::move(stored), written);
      case Operation::Kind::kUndelete:
        if (!exists) return NotFound(name, "no such record");
        if ((*stored)->payload.empty())
          return NotFound(name, "is erased, which can't be taken back");
        if (live) {
          return Error(absl::StatusCode::kAlreadyExists, v1::RECORD_NOT_DELETED,
                       absl::StrCat(name, ": is not deleted"), {{"name", name}});
        }
        return Undelete(resource, **std::move(stored), written);
    }
    return absl::InternalError("no such kind of operation");
  }

  // Over the state that all operations leave: references of the same batch may lead to each other.
  absl::Status CheckReferences(const CommitRequest& request) {
    google::rpc::PreconditionFailure failure;
    for (const Pending& pending : pending_) {
      for (const Reference& reference : pending.references) {
        absl::StatusOr<std::string> problem = Problem(pending, reference);
        if (!problem.ok()) return problem.status();
        if (problem->empty()) continue;
        if (request.wrong) {
          request.wrong(pending.operation,
                        InvalidField(absl::StrCat(pending.field, ".", reference.path), *problem));
        }
        if (failure.violations_size() >= kMaxViolations) continue;
        auto* violation = failure.add_violations();
        violation->set_type("REFERENCE");
        violation->set_subject(absl::StrCat(pending.field, ".", reference.path));
        violation->set_description(*problem);
      }
    }
    for (const auto& [name, field] : deleted_) {
      auto referrers = writer_->Referrers(name, kMaxNamedReferrers);
      if (!referrers.ok()) return referrers.status();
      if (referrers->empty()) continue;
      return Error(
          absl::StatusCode::kFailedPrecondition, v1::RECORD_REFERENCED,
          absl::StrCat(name, ": live records refer to it (", absl::StrJoin(*referrers, ", "),
                       "); change them first, or delete with force"),
          {{"name", name}, {"referrers", absl::StrJoin(*referrers, ",")}});
    }
    if (failure.violations_size() == 0) return absl::OkStatus();
    const auto& first = failure.violations(0);
    absl::Status status =
        Error(absl::StatusCode::kFailedPrecondition, v1::REFERENCE_NOT_FOUND,
              absl::StrCat(first.subject(), ": ", first.description(),
                           failure.violations_size() > 1
                               ? absl::StrCat(" (and ", failure.violations_size() - 1, " more)")
                               : ""));
    AddDetail(status, failure);
    return status;
  }

  bool changed() const { return changed_; }

 private:
  // References that an operation has added or changed, to be checked.
  struct Pending {
    size_t operation;  // its index
    std::string field;
    const Message* record;
    std::vector<Reference> references;
  };

  absl::Status Create(Operation& operation, Written* written) {
    const Resource& resource = *operation.resource;
    if (absl::StartsWith(operation.id, kErasedPrefix)) {
      return InvalidField(operation.field,
                          absl::StrCat("`", operation.id, "`: an id that begins with `",
                                       kErasedPrefix, "` is that of an erased record"));
    }
    if (operation.creation == nullptr) {
      if (absl::Status s = PrepareCreation(operation); !s.ok()) return s;
    }
    Creation& creation = *operation.creation;
    if (creation.record != nullptr) operation.record = std::move(creation.record);
    store::Version& version = written->version;
    version.id = operation.id;
    version.uid = NewUuid();
    version.create_time = time_;
    version.salt = NewSalt();
    version.payload = std::move(creation.payload);
    absl::Status status =
        Put(resource, version, creation.derived, false, {}, Targets(creation.references));
    pending_.push_back(
        {index_, operation.field, operation.record.get(), std::move(creation.references)});
    return status;
  }

  absl::Status Update(Operation& operation, store::Version stored, Written* written) {
    const Resource& resource = *operation.resource;
    auto before = ParsePayload(resource, stored);
    if (!before.ok()) return before.status();
    if (operation.mask.everything()) {
      KeepUnknownFields(**before, operation.record.get());
    } else {
      std::unique_ptr<Message> merged((*before)->New());
      merged->CopyFrom(**before);
      if (absl::Status s =
              operation.mask.Update(*operation.record, merged.get(), operation.mask_field);
          !s.ok()) {
        return s;
      }
      KeepUnknownFields(**before, merged.get());
      operation.record = std::move(merged);
      absl::Status status =
          ValidateRecord(resource, Validate::kMerged, operation.field, operation.record.get());
      if (!status.ok()) return status;
      Derive(operation.record.get());
    }
    std::string payload = EncodePayload(*operation.record);
    written->version = std::move(stored);
    if (payload == written->version.payload) return absl::OkStatus();
    if (absl::Status s =
            CheckReviewMove(resource.Name(operation.id), **before, *operation.record, reasoned_);
        !s.ok()) {
      return s;
    }
    written->version.payload = std::move(payload);

    std::vector<Reference> old_references = References(resource, **before);
    std::vector<Reference> references = References(resource, *operation.record);
    absl::Status status = PutChanged(resource, written->version, *operation.record,
                                     Targets(old_references), Targets(references));

    std::sort(old_references.begin(), old_references.end());
    references.erase(std::remove_if(references.begin(), references.end(),
                                    [&](const Reference& reference) {
                                      return !reference.record.empty() &&
                                             std::binary_search(old_references.begin(),
                                                                old_references.end(), reference);
                                    }),
                     references.end());
    pending_.push_back({index_, operation.field, operation.record.get(), std::move(references)});
    return status;
  }

  // References are not checked: what the record said then, it says again.
  absl::Status Rollback(const Operation& operation, store::Version stored, Written* written) {
    const Resource& resource = *operation.resource;
    const std::string name = resource.Name(operation.id);
    if (operation.revision < 1 || operation.revision >= revision_) {
      return Error(absl::StatusCode::kInvalidArgument, v1::REVISION_OUT_OF_RANGE,
                   absl::StrCat("revision: the store has the revisions 1 to ", revision_ - 1,
                                ", got ", operation.revision),
                   {{"revision", absl::StrCat(operation.revision)},
                    {"newest_revision", absl::StrCat(revision_ - 1)}});
    }
    auto then = writer_->Get(resource.collection, operation.id, {operation.revision});
    if (!then.ok()) return then.status();
    if (!then->has_value() || (*then)->delete_time != 0) {
      return NotFound(name, absl::StrCat(then->has_value() ? "was deleted" : "did not exist",
                                         " at revision ", operation.revision));
    }
    auto before = ParsePayload(resource, stored);
    if (!before.ok()) return before.status();
    auto after = ParsePayload(resource, **then);
    if (!after.ok()) return after.status();
    Derive(after->get());
    written->version = std::move(stored);
    std::string payload = EncodePayload(**after);
    if (payload == written->version.payload) return absl::OkStatus();
    written->version.payload = std::move(payload);
    return PutChanged(resource, written->version, **after, Targets(References(resource, **before)),
                      Targets(References(resource, **after)));
  }

  absl::Status Delete(const Operation& operation, store::Version stored, Written* written) {
    auto record = ParsePayload(*operation.resource, stored);
    if (!record.ok()) return record.status();
    written->version = std::move(stored);
    written->version.delete_time = time_;
    if (!operation.force) {
      deleted_.emplace_back(operation.resource->Name(operation.id), operation.field);
    }
    return Put(*operation.resource, written->version, operation.resource->columns->Derive(**record),
               true, Targets(References(*operation.resource, **record)), {});
  }

  absl::Status Undelete(const Resource& resource, store::Version stored, Written* written) {
    auto record = ParsePayload(resource, stored);
    if (!record.ok()) return record.status();
    written->version = std::move(stored);
    written->version.delete_time = 0;
    return Put(resource, written->version, resource.columns->Derive(**record), true, {},
               Targets(References(resource, **record)));
  }

  // Puts a version that refers to `targets`; the one before it referred to `old_targets`.
  absl::Status PutChanged(const Resource& resource, store::Version& version, const Message& record,
                          const std::vector<std::string>& old_targets,
                          const std::vector<std::string>& targets) {
    const TargetChange change = TargetChangeOf(old_targets, targets);
    return Put(resource, version, resource.columns->Derive(record), true, change.removed,
               change.added);
  }

  absl::Status Put(const Resource& resource, store::Version& version, const store::Derived& derived,
                   bool supersedes, const std::vector<std::string>& removed,
                   const std::vector<std::string>& added) {
    changed_ = true;
    version.since = revision_;
    version.update_time = time_;
    absl::Status status = writer_->Put(resource.collection, version, derived, supersedes);
    if (!status.ok() || (removed.empty() && added.empty())) return status;
    return writer_->PutReferences(resource.Name(version.id), revision_, removed, added);
  }

  // What is wrong with a reference; empty where nothing is.
  absl::StatusOr<std::string> Problem(const Pending& pending, const Reference& reference) {
    if (reference.record.empty()) {
      auto [ids, fresh] = elements_.try_emplace({pending.field, reference.list});
      if (fresh) ids->second = ElementIds(*pending.record, reference.list);
      if (ids->second.contains(reference.id)) return "";
      return absl::StrCat("the record has no `", reference.id, "` in ", reference.list);
    }
    // A batch names the same sources again and again.
    if (reference.list.empty() && live_.contains(reference.record)) return "";
    const std::pair<std::string, std::string> list{reference.record, reference.list};
    if (auto ids = elements_.find(list);
        ids != elements_.end() && ids->second.contains(reference.id)) {
      return "";
    }
    absl::string_view id;
    const Resource* resource = registry_.ParseName(reference.record, &id);
    if (resource == nullptr) {
      return reference.list.empty()
                 ? absl::StrCat(reference.record, ": there is no such collection")
                 : absl::StrCat("`", reference.id,
                                "` names an element of a record, but the "
                                "record is not named");
    }
    auto version = writer_->Get(resource->collection, id, kNewest);
    if (!version.ok()) return version.status();
    if (!version->has_value()) return absl::StrCat(reference.record, ": no such record");
    if (reference.list.empty()) {
      if ((*version)->delete_time != 0) return absl::StrCat(reference.record, ": is deleted");
      live_.insert(reference.record);
      return "";
    }
    auto record = ParsePayload(*resource, **version);
    if (!record.ok()) return record.status();
    const auto& ids = elements_[list] = ElementIds(**record, reference.list);
    if (ids.contains(reference.id)) return "";
    return absl::StrCat(reference.record, " has no `", reference.id, "` in ", reference.list);
  }

  store::Writer* writer_;
  const Registry& registry_;
  const store::Revision revision_;
  const int64_t time_;
  const bool reasoned_;  // the request says why
  bool changed_ = false;
  size_t index_ = 0;  // of the operation that runs
  std::vector<Pending> pending_;
  // What was looked up after all operations: live records, and the ids of lists, by the record's
  // name (by the request's field, for a record's own) and the list's.
  absl::flat_hash_set<std::string> live_;
  absl::flat_hash_map<std::pair<std::string, std::string>, absl::flat_hash_set<std::string>>
      elements_;
  std::vector<std::pair<std::string, std::string>> deleted_;  // name, field: not forced
};

}  // namespace

absl::Status PrepareCreation(Operation& operation) {
  const Resource& resource = *operation.resource;
  auto creation = std::make_unique<Creation>();
  const Message* record = operation.record.get();
  if (operation.kind == Operation::Kind::kUpdate && !operation.mask.everything()) {
    // What a mask left out was not asked for when the record was checked.
    creation->record.reset(resource.prototype->New());
    absl::Status status =
        operation.mask.Update(*record, creation->record.get(), operation.mask_field);
    if (!status.ok()) return status;
    status = ValidateRecord(resource, Validate::kWhole, operation.field, creation->record.get());
    if (!status.ok()) return status;
    Derive(creation->record.get());
    record = creation->record.get();
  }
  creation->payload = EncodePayload(*record);
  creation->references = References(resource, *record);
  creation->derived = resource.columns->Derive(*record);
  operation.creation = std::move(creation);
  return absl::OkStatus();
}

absl::StatusOr<CommitResult> Engine::Apply(CommitRequest& request, store::Revision revision,
                                           int64_t time, bool* committed) {
  store::Writer* writer = writer_store_;
  if (!request.request_id.empty()) {
    auto before = writer->FindRequest(request.caller, request.request_id);
    if (!before.ok()) return before.status();
    if (before->has_value()) return Repeat(request, **before);
  }
  Application application(writer, *registry_, revision, time, request.reason);
  CommitResult result;
  result.records.resize(request.operations.size());
  std::vector<store::Touched> touched;
  absl::Status failed;  // of the first operation that did
  for (size_t i = 0; i < request.operations.size(); ++i) {
    Operation& operation = request.operations[i];
    absl::Status status = application.Run(i, operation, &result.records[i]);
    if (!status.ok()) {
      if (!request.wrong || !IsOfRequest(status)) return status;
      request.wrong(i, status);
      if (failed.ok()) failed = status;
      continue;
    }
    Written& written = result.records[i];
    written.change = ChangeOf(operation, written.version, written.version.since == revision);
    touched.push_back({operation.resource->collection, operation.id, written.change});
  }
  absl::Status status = application.CheckReferences(request);
  if (!failed.ok()) return failed;
  if (!status.ok()) return status;
  if (!application.changed()) {
    result.revision = revision - 1;
    return result;
  }
  result.revision = revision;
  if (request.validate_only) return result;
  status = writer->PutCommit({revision, time, request.caller, request.reason, request.method,
                              request.request_id, request.request_hash},
                             touched);
  if (!status.ok()) return status;
  *committed = true;
  return result;
}

absl::StatusOr<CommitResult> Engine::Repeat(const CommitRequest& request,
                                            const store::Commit& commit) {
  if (commit.method != request.method || commit.request_hash != request.request_hash) {
    return Error(absl::StatusCode::kInvalidArgument, v1::REQUEST_ID_REUSED,
                 absl::StrCat("request_id: came with other content before (commit ",
                              commit.revision, "); take a new one"),
                 {{"request_id", request.request_id}, {"revision", absl::StrCat(commit.revision)}});
  }
  store::Writer* writer = writer_store_;
  auto touched = writer->Touches(commit.revision);
  if (!touched.ok()) return touched.status();
  CommitResult result;
  result.revision = commit.revision;
  for (const store::Touched& record : *touched) {
    const Resource* resource = registry_->FindByCollection(record.collection);
    if (resource == nullptr) return absl::InternalError("no collection " + record.collection);
    auto version = writer->Get(record.collection, record.id, {commit.revision});
    if (!version.ok()) return version.status();
    if (!version->has_value()) return absl::InternalError("a touched record is gone");
    result.records.push_back({resource, **std::move(version), record.change});
  }
  return result;
}

}  // namespace detente::engine
