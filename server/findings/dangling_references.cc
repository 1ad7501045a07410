// References of live records that lead nowhere: writes check only those that they add, and a forced
// delete, an erasure or an undelete can leave others behind.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "engine/references.h"
#include "findings/context.h"

namespace detente::findings {
namespace {

using google::protobuf::Message;

constexpr size_t kMaxLists = 10'000;

class Follower {
 public:
  explicit Follower(Context& context) : context_(context) {}

  void Follow(const std::string& name, const Message& record, const engine::Reference& reference,
              std::vector<Finding>* found) {
    if (!reference.list.empty()) return Element(name, record, reference, found);
    switch (context_.StateOf(reference.record)) {
      case State::kLive:
        return;
      case State::kMissing:
        return Say(found, Severity::kError, absl::StrCat(reference.record, " does not exist"), name,
                   reference.path);
      case State::kDeleted:
        return Say(found, Severity::kWarning, absl::StrCat(reference.record, " is deleted"), name,
                   reference.path);
      case State::kErased:
        return Say(found, Severity::kNote, absl::StrCat(reference.record, " was erased"), name,
                   reference.path);
    }
  }

 private:
  static void Say(std::vector<Finding>* found, Severity severity, std::string description,
                  const std::string& name, const std::string& path) {
    found->push_back({severity, std::move(description), {{name, path}}});
  }

  void Element(const std::string& name, const Message& record, const engine::Reference& reference,
               std::vector<Finding>* found) {
    const bool own = reference.record.empty();
    if (reference.record == "?") {
      return Say(found, Severity::kError,
                 absl::StrCat("`", reference.id, "` is in ", reference.list,
                              " of a record that is not named"),
                 name, reference.path);
    }
    // A record that is not there is told of where it is named.
    if (!own && context_.StateOf(reference.record) != State::kLive) return;
    const std::string& home = own ? name : reference.record;
    auto list = lists_.find(std::pair(home, reference.list));
    if (list == lists_.end()) {
      if (lists_.size() >= kMaxLists) lists_.clear();
      const auto other = own ? nullptr : context_.Live(home);
      if (!own && other == nullptr) return;
      list = lists_
                 .emplace(std::pair(home, reference.list),
                          engine::ElementIds(own ? record : *other, reference.list))
                 .first;
    }
    if (list->second.contains(reference.id)) return;
    Say(found, Severity::kError,
        absl::StrCat(own ? std::string("this record") : home, " has no `", reference.id, "` in ",
                     reference.list),
        name, reference.path);
  }

  Context& context_;
  absl::flat_hash_map<std::pair<std::string, std::string>, absl::flat_hash_set<std::string>> lists_;
};

}  // namespace

void CheckDanglingReferences(Run& run) {
  Follower follower(run.context());
  std::vector<absl::string_view> collections;
  for (const auto& resource : run.context().registry().resources()) {
    collections.emplace_back(resource->collection);
  }
  std::sort(collections.begin(), collections.end());
  run.ForEach(collections, [&](const std::string& name, const Message& record,
                               std::vector<Finding>* found) {
    const auto* resource = run.context().registry().FindByType(record.GetDescriptor()->full_name());
    for (const engine::Reference& reference : engine::References(*resource, record)) {
      follower.Follow(name, record, reference, found);
    }
  });
}

}  // namespace detente::findings
