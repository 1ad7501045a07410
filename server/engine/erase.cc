// Erasure: for a person in danger. In the writer thread, alone; see RecordService.EraseRecords.
#include <openssl/rand.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "engine/engine.h"
#include "engine/snapshots.h"
#include "engine/validate.h"
#include "error/error.h"
#include "values/sha256.h"

namespace detente::engine {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Shorter texts are in too many others to tell anything.
constexpr size_t kMinTextBytes = 4;

std::string NewErasedId() {
  unsigned char bytes[26];
  RAND_bytes(bytes, sizeof bytes);
  std::string id(kErasedPrefix);
  for (unsigned char byte : bytes) id.push_back("abcdefghijklmnopqrstuvwxyz234567"[byte & 31]);
  return id;
}

// Names that are gone, and what stands in their place.
using Renamed = std::map<std::string, std::string, std::less<>>;

// Replaces names wherever a text is nothing but the name, and in the JSON of asserted values.
// Returns whether anything was replaced.
bool Rename(const Renamed& renamed, Message* message) {
  const Reflection* reflection = message->GetReflection();
  std::vector<const FieldDescriptor*> set;
  reflection->ListFields(*message, &set);
  bool changed = false;
  auto replacement = [&](const FieldDescriptor* field, const std::string& text) {
    auto found = renamed.find(text);
    if (found != renamed.end()) return found->second;
    if (field->name() != "asserted_value") return text;
    std::string json = text;
    for (const auto& [name, new_name] : renamed) {
      absl::StrReplaceAll({{absl::StrCat("\"", name, "\""), absl::StrCat("\"", new_name, "\"")}},
                          &json);
    }
    return json;
  };
  for (const FieldDescriptor* field : set) {
    const int size = field->is_repeated() ? reflection->FieldSize(*message, field) : 1;
    for (int i = 0; i < size; ++i) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        changed |= Rename(renamed, field->is_repeated()
                                       ? reflection->MutableRepeatedMessage(message, field, i)
                                       : reflection->MutableMessage(message, field));
      } else if (field->type() == FieldDescriptor::TYPE_STRING) {
        const std::string text = field->is_repeated()
                                     ? reflection->GetRepeatedString(*message, field, i)
                                     : reflection->GetString(*message, field);
        std::string fresh = replacement(field, text);
        if (fresh == text) continue;
        changed = true;
        if (field->is_repeated()) {
          reflection->SetRepeatedString(message, field, i, std::move(fresh));
        } else {
          reflection->SetString(message, field, std::move(fresh));
        }
      }
    }
  }
  return changed;
}

// What a record is called: its display name, and the full and family names in its lists.
void CollectTexts(const Message& record, std::set<std::string>* texts) {
  const Reflection* reflection = record.GetReflection();
  auto add = [&](const Message& message, const char* name) {
    const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(name);
    if (field == nullptr || field->type() != FieldDescriptor::TYPE_STRING) return;
    std::string text = message.GetReflection()->GetString(message, field);
    if (text.size() >= kMinTextBytes) texts->insert(std::move(text));
  };
  add(record, "display_name");
  const FieldDescriptor* names = record.GetDescriptor()->FindFieldByName("names");
  if (names == nullptr || names->message_type() == nullptr) return;
  for (int i = 0; i < reflection->FieldSize(record, names); ++i) {
    add(reflection->GetRepeatedMessage(record, names, i), "full");
    add(reflection->GetRepeatedMessage(record, names, i), "family");
  }
}

class Eraser {
 public:
  Eraser(store::Writer* writer, const Registry& registry, store::Revision revision, int64_t time)
      : writer_(writer), registry_(registry), revision_(revision), time_(time) {}

  // `new_id` empty = made here.
  absl::Status Add(const Resource& resource, const std::string& id, std::string new_id) {
    auto head = writer_->Get(resource.collection, id, kNewest);
    if (!head.ok()) return head.status();
    const std::string name = resource.Name(id);
    if (!head->has_value() || (*head)->payload.empty()) {
      return Error(
          absl::StatusCode::kNotFound, v1::RECORD_NOT_FOUND,
          absl::StrCat(name, head->has_value() ? ": is erased already" : ": no such record"),
          {{"name", name}});
    }
    if (new_id.empty()) new_id = NewErasedId();
    if (!renamed_.emplace(name, resource.Name(new_id)).second) {
      return InvalidField("names", absl::StrCat(name, ": named twice"));
    }
    if (id.size() >= kMinTextBytes) texts_.insert(id);
    absl::Status status;
    absl::Status read =
        writer_->Revisions(resource.collection, id, INT64_MAX, [&](store::Version& version) {
          auto record = ParsePayload(resource, version);
          if (!record.ok()) status = record.status();
          if (record.ok()) CollectTexts(**record, &texts_);
          return status.ok();
        });
    if (status.ok()) status = std::move(read);
    targets_.push_back({&resource, id, std::move(new_id), (*head)->uid});
    return status;
  }

  absl::Status Run() {
    absl::Status status = FindSnapshots();
    if (status.ok()) status = RewriteReferrers();
    for (const Target& target : targets_) {
      if (status.ok()) status = Clear(target);
    }
    return status;
  }

  // Whether the text tells what is erased.
  bool Tells(absl::string_view text) const {
    const std::vector<std::string> texts = Texts();
    return std::any_of(texts.begin(), texts.end(),
                       [&](const std::string& name) { return absl::StrContains(text, name); });
  }

  absl::Status FindMentions(std::vector<Mention>* mentions) {
    std::map<std::string, std::set<store::Revision>> found;
    for (const auto& resource : registry_.resources()) {
      absl::Status status =
          writer_->Containing(resource->collection, Texts(), [&](store::Version& version) {
            const std::string name = resource->Name(version.id);
            if (!renamed_.contains(name)) found[name].insert(version.since);
            return true;
          });
      if (!status.ok()) return status;
    }
    for (const store::Snapshot& snapshot : snapshots_) {
      if (Tells(snapshot.id)) found["snapshots/" + snapshot.id].insert(snapshot.revision);
    }
    for (auto& [name, revisions] : found) {
      mentions->push_back({name, {revisions.begin(), revisions.end()}});
    }
    return absl::OkStatus();
  }

  // Over the entries as they are now. A title that tells goes, as reasons of commits do.
  absl::Status SumUpAgain() {
    for (store::Snapshot& snapshot : snapshots_) {
      const bool tells = Tells(snapshot.title);
      if (tells) snapshot.title.clear();
      if (!changed_snapshots_.contains(snapshot.id)) {
        if (!tells) continue;
        if (absl::Status s = writer_->PutSnapshot(snapshot); !s.ok()) return s;
        continue;
      }
      auto checksum = ChecksumOf(*writer_, registry_, {snapshot.revision}, [] { return true; });
      if (!checksum.ok()) return checksum.status();
      snapshot.current_checksum = checksum->digits;
      snapshot.erased_count = checksum->erased_count;
      if (absl::Status s = writer_->PutSnapshot(snapshot); !s.ok()) return s;
    }
    return absl::OkStatus();
  }

  std::vector<std::string> NewNames() const {
    std::vector<std::string> names;
    names.reserve(targets_.size());
    for (const Target& target : targets_) names.push_back(target.resource->Name(target.new_id));
    return names;
  }
  std::vector<store::Touched> Touched() const {
    std::vector<store::Touched> touched;
    touched.reserve(targets_.size());
    for (const Target& target : targets_) {
      touched.push_back({target.resource->collection, target.new_id, store::Change::kErased});
    }
    return touched;
  }
  int64_t rewritten() const { return rewritten_; }

 private:
  struct Target {
    const Resource* resource;
    std::string id;
    std::string new_id;
    std::string uid;
  };
  // A version that is about to change, valid up to `until`.
  struct Changing {
    store::Version version;
    store::Revision until;
  };

  std::vector<std::string> Texts() const {
    std::vector<std::string> texts(texts_.begin(), texts_.end());
    for (const auto& [name, new_name] : renamed_) texts.push_back(name);
    return texts;
  }

  absl::Status FindSnapshots() {
    return writer_->Snapshots("", [&](store::Snapshot& snapshot) {
      snapshots_.push_back(std::move(snapshot));
      return true;
    });
  }

  // Keeps the leaf of a version that a snapshot holds, before it changes.
  absl::Status KeepLeaf(const Resource& resource, const Changing& changing) {
    const store::Version& version = changing.version;
    if (version.delete_time != 0) return absl::OkStatus();
    bool held = false;
    for (const store::Snapshot& snapshot : snapshots_) {
      if (version.since > snapshot.revision || snapshot.revision >= changing.until) continue;
      held = true;
      changed_snapshots_.insert(snapshot.id);
    }
    if (!held) return absl::OkStatus();
    std::string json;
    auto leaf = LeafOf(resource, version, &json);
    if (!leaf.ok()) return leaf.status();
    return writer_->KeepLeaf(resource.collection, version.id, version.since, *leaf);
  }

  // All versions of a record, each with the revision that it ended at.
  absl::Status Versions(const Resource& resource, const std::string& id,
                        std::vector<Changing>* versions) {
    store::Revision until = INT64_MAX;
    return writer_->Revisions(resource.collection, id, INT64_MAX, [&](store::Version& version) {
      const store::Revision since = version.since;
      versions->push_back({std::move(version), until});
      until = since;
      return true;
    });
  }

  absl::Status RewriteReferrers() {
    std::vector<std::string> names;
    for (const auto& [name, new_name] : renamed_) names.push_back(name);
    for (const auto& resource : registry_.resources()) {
      std::set<std::string> ids;
      absl::Status status =
          writer_->Containing(resource->collection, names, [&](store::Version& version) {
            if (!renamed_.contains(resource->Name(version.id))) ids.insert(version.id);
            return true;
          });
      if (!status.ok()) return status;
      for (const std::string& id : ids) {
        std::vector<Changing> versions;
        status = Versions(*resource, id, &versions);
        for (const Changing& changing : versions) {
          if (status.ok()) status = RewriteOne(*resource, changing);
        }
        if (!status.ok()) return status;
      }
    }
    return absl::OkStatus();
  }

  absl::Status RewriteOne(const Resource& resource, const Changing& changing) {
    if (changing.version.payload.empty()) return absl::OkStatus();
    auto record = ParsePayload(resource, changing.version);
    if (!record.ok()) return record.status();
    if (!Rename(renamed_, record->get())) return absl::OkStatus();
    if (absl::Status s = KeepLeaf(resource, changing); !s.ok()) return s;
    ++rewritten_;
    return writer_->Rewrite(resource.collection, changing.version.id, changing.version.since,
                            EncodePayload(**record), resource.columns->Derive(**record));
  }

  absl::Status Clear(const Target& target) {
    const Resource& resource = *target.resource;
    std::vector<Changing> versions;
    absl::Status status = Versions(resource, target.id, &versions);
    for (const Changing& changing : versions) {
      if (status.ok()) status = KeepLeaf(resource, changing);
    }
    if (!status.ok()) return status;
    const std::string new_uid = NewUuid();
    status = writer_->EraseRecord(resource.collection, target.id, target.new_id, new_uid, time_,
                                  Texts());
    if (!status.ok()) return status;
    // What is left of it: that it was erased, and when.
    store::Version last;
    last.id = target.new_id;
    last.uid = new_uid;
    last.since = revision_;
    last.create_time = versions.back().version.create_time;
    last.update_time = last.delete_time = time_;
    status = writer_->Put(resource.collection, last, {}, true);
    if (!status.ok()) return status;
    return writer_->PutErasure({values::Sha256Hex(target.uid), target.new_id}, revision_);
  }

  store::Writer* writer_;
  const Registry& registry_;
  const store::Revision revision_;
  const int64_t time_;
  Renamed renamed_;
  std::set<std::string> texts_;  // that tell what was erased
  std::vector<Target> targets_;
  std::vector<store::Snapshot> snapshots_;
  std::set<std::string> changed_snapshots_;  // ids
  int64_t rewritten_ = 0;
};

}  // namespace

absl::StatusOr<EraseResult> Engine::Erase(const EraseRequest& request) {
  EraseResult result;
  absl::Status status = RunAlone([&] { return EraseAlone(request, &result); });
  if (!status.ok()) return status;
  return result;
}

absl::Status Engine::EraseAlone(const EraseRequest& request, EraseResult* result) {
  store::Writer* writer = writer_store_;
  if (!request.request_id.empty() && !request.validate_only) {
    // The request's content is not kept: it names what was erased.
    auto before = writer->FindRequest(request.caller, request.request_id);
    if (!before.ok()) return before.status();
    if (before->has_value()) {
      if ((*before)->method != request.method) {
        return Error(absl::StatusCode::kInvalidArgument, v1::REQUEST_ID_REUSED,
                     "request_id: came with another request before; take a new one");
      }
      auto touched = writer->Touches((*before)->revision);
      if (!touched.ok()) return touched.status();
      for (const store::Touched& record : *touched) {
        result->names.push_back(absl::StrCat(record.collection, "/", record.id));
      }
      result->revision = (*before)->revision;
      return Purge();
    }
  }
  std::optional<GroupTime> group_time(std::in_place, this);
  const store::Revision revision = newest_.load(std::memory_order_relaxed) + 1;
  const int64_t time = std::max(absl::ToUnixMicros(absl::Now()), group_time->floor() + 1);
  Eraser eraser(writer, *registry_, revision, time);
  absl::Status status;
  for (const auto& [resource, id] : request.records) {
    Collect(eraser.Add(*resource, id, ""), &status);
  }
  if (status.ok() && eraser.Tells(request.reason)) {
    status = InvalidField("reason", "is kept, and holds a name or an id of what is to be erased");
  }
  if (status.ok() && eraser.Tells(request.request_id)) {
    status =
        InvalidField("request_id", "is kept, and holds a name or an id of what is to be erased");
  }
  if (!status.ok()) return status;
  status = writer->Begin();
  if (!status.ok()) return status;
  status = eraser.Run();
  if (status.ok()) status = eraser.FindMentions(&result->mentions);
  result->rewritten = eraser.rewritten();
  if (status.ok() && request.validate_only) {
    result->revision = revision - 1;
    return writer->Rollback();
  }
  if (status.ok()) {
    status = writer->PutCommit(
        {revision, time, request.caller, request.reason, request.method, request.request_id, ""},
        eraser.Touched());
  }
  if (status.ok()) status = eraser.SumUpAgain();
  if (status.ok()) status = CommitStore();
  if (!status.ok()) {
    writer->Rollback().IgnoreError();
    return status;
  }
  last_time_ = time;
  ++erasures_;
  cache_.Clear(revision);
  {
    std::lock_guard lock(forget_mutex_);
    if (forget_ != nullptr) forget_();
  }
  newest_.store(revision, std::memory_order_release);
  result->revision = revision;
  result->names = eraser.NewNames();
  group_time.reset();  // readers at a time need not wait for the files to be cleared
  return Purge();
}

void Engine::OnErasure(std::function<void()> forget) {
  std::lock_guard lock(forget_mutex_);
  forget_ = std::move(forget);
}

// Readers of older state are ended, and new ones wait, until the files hold nothing of it.
absl::Status Engine::Purge() {
  {
    std::unique_lock lock(readers_mutex_);
    purging_ = true;
    while (!leased_.empty()) {
      for (store::Reader* reader : leased_) reader->Interrupt();
      // One that was between two statements is interrupted in its next one.
      readers_changed_.wait_for(lock, std::chrono::milliseconds(5));
    }
    readers_.clear();
  }
  absl::Status status = writer_store_->Purge();
  {
    std::lock_guard lock(readers_mutex_);
    purging_ = false;
  }
  readers_changed_.notify_all();
  return status;
}

// Of a store that was restored from a backup: what its ledger lists is erased again, under the ids
// that the ledger has.
absl::Status Engine::RestoreErasures() {
  auto missing = store_->MissingErasures();
  if (!missing.ok()) return missing.status();
  if (missing->empty()) return absl::OkStatus();
  std::map<std::string, std::string> new_ids;  // by the hash of the uid
  for (const store::Erasure& erasure : *missing) new_ids[erasure.uid_hash] = erasure.id;
  store::Writer* writer = writer_store_;
  const store::Revision revision = newest_ + 1;
  const int64_t time = std::max(absl::ToUnixMicros(absl::Now()), last_time_ + 1);
  Eraser eraser(writer, *registry_, revision, time);
  for (const auto& resource : registry_->resources()) {
    std::vector<std::pair<std::string, std::string>> found;  // id, new id
    absl::Status status =
        writer->List(resource->collection, "", kNewest, true, [&](store::Version& version) {
          auto erased = new_ids.find(values::Sha256Hex(version.uid));
          if (erased != new_ids.end() && !version.payload.empty()) {
            found.emplace_back(version.id, erased->second);
          }
          return true;
        });
    for (auto& [id, new_id] : found) {
      if (status.ok()) status = eraser.Add(*resource, id, std::move(new_id));
    }
    if (!status.ok()) return status;
  }
  absl::Status status = writer->Begin();
  if (!status.ok()) return status;
  status = eraser.Run();
  // Those that the backup does not hold are done too.
  for (const store::Erasure& erasure : *missing) {
    if (status.ok()) status = writer->PutErasure(erasure, revision);
  }
  const bool found = !eraser.NewNames().empty();
  if (status.ok() && found) {
    status = writer->PutCommit({revision, time, "", "erased again after the store was restored",
                                "detente.v1.RecordService.EraseRecords", "", ""},
                               eraser.Touched());
  }
  if (status.ok()) status = eraser.SumUpAgain();
  if (status.ok()) status = writer->Commit();
  if (!status.ok()) {
    writer->Rollback().IgnoreError();
    return status;
  }
  if (found) {
    newest_ = revision;
    last_time_ = time;
    fprintf(stderr, "store: restored from a backup; %zu records were erased again\n",
            eraser.NewNames().size());
  }
  return writer->Purge();
}

}  // namespace detente::engine
