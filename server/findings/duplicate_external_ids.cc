// External ids that several live records claim.
#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "detente/v1/values.pb.h"
#include "findings/context.h"
#include "google/protobuf/reflection.h"

namespace detente::findings {
namespace {

using google::protobuf::Message;

using Key = std::pair<std::string, std::string>;  // authority, value

// Visits every external id of every live record.
void EachId(Context& context,
            absl::FunctionRef<void(const std::string& name, const v1::ExternalId& id)> visit) {
  for (const auto& resource : context.registry().resources()) {
    const auto* field = resource->type->FindFieldByName("external_ids");
    if (field == nullptr) continue;
    context.Scan(*resource, "", [&](const std::string& name, const Message& record) {
      const auto* reflection = record.GetReflection();
      const auto& ids = reflection->GetRepeatedFieldRef<v1::ExternalId>(record, field);
      for (const v1::ExternalId& id : ids) visit(name, id);
      return true;
    });
  }
}

absl::string_view CollectionOf(absl::string_view name) { return name.substr(0, name.find('/')); }

}  // namespace

void CheckDuplicateExternalIds(Run& run) {
  // First hashes alone, which tell what is claimed once; then the names behind those that are not.
  // Two ids with one hash only cost an entry that finds nothing.
  absl::flat_hash_set<size_t> once, again;
  EachId(run.context(), [&](const std::string&, const v1::ExternalId& id) {
    const size_t hash = absl::HashOf(id.authority(), id.value());
    if (!once.insert(hash).second) again.insert(hash);
  });
  once = {};
  if (again.empty() || !run.context().ok()) return;
  std::map<Key, std::vector<Location>> claims;
  EachId(run.context(), [&](const std::string& name, const v1::ExternalId& id) {
    if (!again.contains(absl::HashOf(id.authority(), id.value()))) return;
    auto& claimants = claims[{id.authority(), id.value()}];
    if (!claimants.empty() && claimants.back().name == name) return;  // twice in one record
    claimants.push_back({name, ElementPath("external_ids", id.id())});
  });
  std::map<std::string, std::vector<Finding>> found;  // by the first claimant
  for (auto& [key, claimants] : claims) {
    if (claimants.size() < 2) continue;
    std::sort(claimants.begin(), claimants.end());
    bool alike = false;
    for (size_t i = 1; i < claimants.size(); ++i) {
      alike |= CollectionOf(claimants[i].name) == CollectionOf(claimants[i - 1].name);
    }
    const size_t count = claimants.size();
    const std::string main = claimants.front().name;
    // A person and a spell of detention may share the id of one page about both.
    found[main].push_back(
        {alike ? Severity::kWarning : Severity::kNote,
         absl::StrCat(key.first, " id ", key.second, " is claimed by ", count, " records"),
         std::move(claimants)});
  }
  for (auto& [name, findings] : found) {
    if (name < run.from()) continue;
    if (!run.Deliver(name, std::move(findings))) return;
  }
}

}  // namespace detente::findings
