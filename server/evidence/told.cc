#include "evidence/told.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/derived/derived.h"
#include "query/mask.h"
#include "values/messages.h"

namespace detente::evidence {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using query::Path;
using query::Step;
using v1::Citation;

// One thing that a source says of a field.
struct Saying {
  enum class Kind { kAbsent, kKept, kValue };  // the later outweighs the earlier
  Kind kind;
  const Claim* claim;
  const Path* path;

  // What is put in place later outweighs what was there.
  auto Order() const {
    const v1::UncertainDate& date = claim->citation->assert_date();
    const int64_t day =
        date.has_latest() ? values::DaysOf(date.latest()) : std::numeric_limits<int64_t>::min();
    const auto every = std::count_if(path->begin(), path->end(), [](const Step& step) {
      return step.select == Step::Select::kEvery;
    });
    return std::tuple(path->size(), -every, claim->live, kind,
                      claim->citation->rank() == Citation::PREFERRED, day, -claim->index);
  }
};

Saying::Kind KindOf(const Claim& claim) {
  if (claim.asserts) {
    return claim.value == nullptr ? Saying::Kind::kAbsent : Saying::Kind::kValue;
  }
  return claim.citation->stance() == Citation::CONTRADICTS ? Saying::Kind::kAbsent
                                                           : Saying::Kind::kKept;
}

std::vector<Saying> SayingsOf(const Dossier& dossier, absl::string_view source, bool* everything) {
  std::vector<Saying> sayings;
  for (const Claim& claim : dossier.claims()) {
    if (claim.citation->source() != source || claim.citation->stance() == Citation::MENTIONS) {
      continue;
    }
    if (claim.whole && KindOf(claim) == Saying::Kind::kKept) *everything = true;
    for (const Path& path : claim.paths) sayings.push_back({KindOf(claim), &claim, &path});
  }
  bool whole_live = false;
  for (const Claim* claim : dossier.whole()) {
    whole_live |= claim->live && claim->citation->source() == source &&
                  claim->citation->stance() != Citation::MENTIONS;
  }
  std::vector<Saying> kept;
  for (const Saying& saying : sayings) {
    const bool superseded =
        !saying.claim->live &&
        (whole_live || std::any_of(sayings.begin(), sayings.end(), [&](const Saying& other) {
           return other.claim->live && query::Covers(*other.path, *saying.path);
         }));
    if (!superseded) kept.push_back(saying);
  }
  std::sort(kept.begin(), kept.end(),
            [](const Saying& a, const Saying& b) { return a.Order() < b.Order(); });
  return kept;
}

// The path, and the ids of the elements on its way.
void AddWithIds(const Path& path, std::vector<Path>* paths) {
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i].select == Step::Select::kWhole || path[i].field->is_map()) continue;
    const FieldDescriptor* id = path[i].field->message_type()->FindFieldByName("id");
    if (id == nullptr) continue;
    Path& of_id = paths->emplace_back(path.begin(), path.begin() + static_cast<ptrdiff_t>(i) + 1);
    of_id.push_back({id, Step::Select::kWhole, ""});
  }
  paths->push_back(path);
}

// Of dates of which a part was put in place, what follows from it.
void NormalizeDates(Message* message) {
  if (message->GetDescriptor() == v1::UncertainDate::descriptor()) {
    std::vector<Violation> ignored;
    values::NormalizeDate(static_cast<v1::UncertainDate*>(message), &ignored);
    return;
  }
  const auto* reflection = message->GetReflection();
  std::vector<const FieldDescriptor*> set;
  reflection->ListFields(*message, &set);
  for (const FieldDescriptor* field : set) {
    if (field->message_type() == nullptr || field->is_map()) continue;
    if (!field->is_repeated()) {
      NormalizeDates(reflection->MutableMessage(message, field));
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(*message, field); ++i) {
      NormalizeDates(reflection->MutableRepeatedMessage(message, field, i));
    }
  }
}

// What can't be put (the record has changed since it was checked) stays out.
void Put(const Path& path, const Message* value, Message* record) {
  query::PutValue(path, value, record).IgnoreError();
}

void PutFrom(const Message& from, const Path& path, Message* record) {
  const auto json = query::ValueAt(from, path, values::JsonOf::kEverything);
  if (!json.has_value()) return Put(path, nullptr, record);
  auto value = query::ReadValue(path, *json);
  if (value.ok()) Put(path, value->get(), record);
}

bool IsComputed(const engine::Resource& resource, const Path& path) {
  for (const engine::FieldPlan& field : resource.plan->fields) {
    if (field.field == path[0].field) return field.output_only;
  }
  return false;
}

void PutSayings(const Dossier& dossier, const std::vector<Saying>& sayings, bool computed,
                Message* record) {
  std::vector<const Path*> replaced;
  for (const Saying& saying : sayings) {
    if (IsComputed(dossier.resource(), *saying.path) != computed) continue;
    const Path& path = *saying.path;
    if (saying.kind == Saying::Kind::kKept) {
      // It is there, but for what a wider saying took away, or a derivation.
      const bool gone =
          computed || std::any_of(replaced.begin(), replaced.end(),
                                  [&](const Path* other) { return query::Covers(*other, path); });
      if (gone && query::IsConcrete(path)) PutFrom(dossier.record(), path, record);
      continue;
    }
    Put(path, saying.claim->value.get(), record);
    replaced.push_back(&path);
  }
}

void KeepCitationsOf(absl::string_view source, const Dossier& dossier, Message* record) {
  const FieldDescriptor* field = dossier.resource().type->FindFieldByNumber(engine::kCitations);
  const auto* reflection = record->GetReflection();
  reflection->ClearField(record, field);
  for (const Claim& claim : dossier.claims()) {
    if (claim.citation->source() != source) continue;
    reflection->AddMessage(record, field)->CopyFrom(*claim.citation);
  }
}

}  // namespace

bool SpeaksOf(const Dossier& dossier, absl::string_view source) {
  return std::any_of(dossier.claims().begin(), dossier.claims().end(),
                     [&](const Claim& claim) { return claim.citation->source() == source; });
}

std::unique_ptr<Message> AsToldBy(const Dossier& dossier, absl::string_view source) {
  bool everything = false;
  const std::vector<Saying> sayings = SayingsOf(dossier, source, &everything);
  std::unique_ptr<Message> record(dossier.record().New());
  record->CopyFrom(dossier.record());
  if (!everything) {
    std::vector<Path> paths;
    for (int number = engine::kName; number <= engine::kDisplayName; ++number) {
      paths.push_back(
          {{dossier.resource().type->FindFieldByNumber(number), Step::Select::kWhole, ""}});
    }
    for (const Saying& saying : sayings) {
      if (saying.kind != Saying::Kind::kAbsent) AddWithIds(*saying.path, &paths);
    }
    query::Mask::Of(std::move(paths)).Project(record.get());
  }
  PutSayings(dossier, sayings, /*computed=*/false, record.get());
  KeepCitationsOf(source, dossier, record.get());
  NormalizeDates(record.get());
  engine::Derive(record.get());
  PutSayings(dossier, sayings, /*computed=*/true, record.get());
  return record;
}

absl::StatusOr<std::unique_ptr<Message>> UnderPolicy(const Dossier& dossier,
                                                     v1::Evidence::ValuePolicy policy,
                                                     FindSource find) {
  struct Change {
    const Path* path;
    query::Value value;
  };
  std::vector<Change> changes;
  // Paths around others come first.
  for (const CitedPath& cited : dossier.cited()) {
    if (!query::IsConcrete(cited.path) || !dossier.IsDisputed(cited)) continue;
    if (std::any_of(changes.begin(), changes.end(), [&](const Change& change) {
          return query::Covers(*change.path, cited.path);
        })) {
      continue;
    }
    const auto own = query::ValueAt(dossier.record(), cited.path);
    auto decided = Decide(policy, own, dossier.BearingsOn(cited.path), find);
    if (!decided.ok()) return decided.status();
    if (decided->value == own) continue;
    auto value = query::ReadValue(cited.path, decided->value.value_or("null"));
    if (value.ok()) changes.push_back({&cited.path, *std::move(value)});
  }
  if (changes.empty()) return std::unique_ptr<Message>();
  std::unique_ptr<Message> record(dossier.record().New());
  record->CopyFrom(dossier.record());
  for (const Change& change : changes) Put(*change.path, change.value.get(), record.get());
  NormalizeDates(record.get());
  engine::Derive(record.get());
  for (const Change& change : changes) {
    if (IsComputed(dossier.resource(), *change.path)) {
      Put(*change.path, change.value.get(), record.get());
    }
  }
  return record;
}

}  // namespace detente::evidence
