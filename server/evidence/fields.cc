#include "evidence/fields.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "error/error.h"
#include "google/api/field_behavior.pb.h"
#include "query/elements.h"

namespace detente::evidence {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using query::Path;
using query::Step;
using v1::Evidence;
using Effect = Bearing::Effect;

constexpr Evidence::ValuePolicy kPolicies[] = {Evidence::MOST_RELIABLE, Evidence::LATEST,
                                               Evidence::MAJORITY};

constexpr size_t kMaxFieldBytes = 5 << 19;    // of the evidence for one field
constexpr size_t kMaxUncitedBytes = 1 << 19;  // both fit into an answer of 4 MiB
constexpr size_t kMaxTitleBytes = 512;

std::string TitleOf(const v1::Source& source) {
  const std::string& title = source.title().empty() ? source.display_name() : source.title();
  if (title.size() <= kMaxTitleBytes) return title;
  size_t end = kMaxTitleBytes;  // not within a character
  while (end > 0 && (static_cast<unsigned char>(title[end]) & 0xc0) == 0x80) --end;
  return absl::StrCat(absl::string_view(title).substr(0, end), "…");
}

// So that it fits into an answer.
void Shorten(Evidence::FieldEvidence* field) {
  size_t bytes = field->ByteSizeLong();
  if (bytes <= kMaxFieldBytes) return;
  field->set_shortened(true);
  auto shorten = [&](std::string* value) {
    constexpr size_t kLargeValue = 4 << 10;
    if (value->size() <= kLargeValue) return;
    bytes -= value->size();
    value->clear();
  };
  shorten(field->mutable_value());
  for (auto& decision : *field->mutable_decisions()) shorten(decision.mutable_value());
  for (auto& alternative : *field->mutable_alternatives()) shorten(alternative.mutable_value());
  for (auto* witnesses :
       {field->mutable_mentions(), field->mutable_supports(), field->mutable_contradictions()}) {
    while (bytes > kMaxFieldBytes && !witnesses->empty()) {
      bytes -= std::min(bytes, witnesses->rbegin()->ByteSizeLong());
      witnesses->RemoveLast();
    }
  }
}

absl::Status AddWitnesses(const std::vector<Bearing>& bearings, FindSource find,
                          Evidence::FieldEvidence* out) {
  for (const Bearing& bearing : bearings) {
    Evidence::Witness* witness = bearing.effect == Effect::kSupports ? out->add_supports()
                                 : bearing.effect == Effect::kContradicts
                                     ? out->add_contradictions()
                                     : out->add_mentions();
    *witness->mutable_citation() = *bearing.claim->citation;
    if (bearing.by != nullptr) witness->set_path(query::FormatPath(*bearing.by));
    auto source = find(bearing.claim->citation->source());
    if (!source.ok()) return source.status();
    if (*source != nullptr) {
      witness->set_source_title(TitleOf(**source));
      witness->set_reliability((*source)->reliability());
    }
    const v1::UncertainDate* date = DateOf(*bearing.claim->citation, *source);
    if (date != nullptr) *witness->mutable_date() = *date;
  }
  return absl::OkStatus();
}

void AddAlternatives(const std::vector<Bearing>& bearings, Evidence::FieldEvidence* out) {
  for (const Bearing& bearing : bearings) {
    if (bearing.effect != Effect::kContradicts || !bearing.claim->asserts) continue;
    const std::string value = bearing.value.value_or("null");
    Evidence::Alternative* alternative = nullptr;
    for (auto& one : *out->mutable_alternatives()) {
      if (one.value() == value) alternative = &one;
    }
    if (alternative == nullptr) {
      alternative = out->add_alternatives();
      alternative->set_value(value);
    }
    alternative->add_citation_ids(bearing.claim->citation->id());
  }
}

// What is named at and below a message of the record.
struct Named {
  struct Field;
  bool all = false;
  std::map<const FieldDescriptor*, Field> fields;
};
struct Named::Field {
  std::optional<Named> whole;
  std::optional<Named> every;
  std::map<std::string, Named> elements;
};

void Name(const Path& path, Named* named) {
  for (const Step& step : path) {
    Named::Field& field = named->fields[step.field];
    switch (step.select) {
      case Step::Select::kWhole:
        if (!field.whole.has_value()) field.whole.emplace();
        named = &*field.whole;
        break;
      case Step::Select::kEvery:
        if (!field.every.has_value()) field.every.emplace();
        named = &*field.every;
        break;
      case Step::Select::kElement:
        named = &field.elements[step.key];
        break;
    }
  }
  named->all = true;
}

bool IsComputed(const FieldDescriptor* field) {
  const auto& options = field->options();
  for (int i = 0; i < options.ExtensionSize(google::api::field_behavior); ++i) {
    if (options.GetExtension(google::api::field_behavior, i) == google::api::OUTPUT_ONLY) {
      return true;
    }
  }
  return false;
}

// Of an element: what is named of it by its id, and of every one.
using Union = std::vector<const Named*>;

void AddUncited(const Union& named, const Message& message, const std::string& prefix,
                std::vector<std::string>* out);

// Of what stands at `text`; `message` is null where it is none.
void AddUncitedAt(const Union& named, const Message* message, const std::string& text,
                  std::vector<std::string>* out) {
  if (std::any_of(named.begin(), named.end(), [](const Named* one) { return one->all; })) return;
  if (named.empty() || message == nullptr) {
    out->push_back(text);
  } else {
    AddUncited(named, *message, text, out);
  }
}

void AddUncited(const Union& named, const Message& message, const std::string& prefix,
                std::vector<std::string>* out) {
  const auto* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> set;
  reflection->ListFields(message, &set);
  for (const FieldDescriptor* field : set) {
    const bool shared = prefix.empty() && field->number() < engine::kFirstOwn;
    if (shared || IsComputed(field) || (!prefix.empty() && field->name() == "id")) continue;
    std::vector<const Named::Field*> here;
    bool by_element = false;
    Union whole;
    for (const Named* one : named) {
      const auto found = one->fields.find(field);
      if (found == one->fields.end()) continue;
      here.push_back(&found->second);
      by_element |= found->second.every.has_value() || !found->second.elements.empty();
      if (found->second.whole.has_value()) whole.push_back(&*found->second.whole);
    }
    const std::string text = absl::StrCat(prefix, prefix.empty() ? "" : ".", field->name());
    const bool all = std::any_of(whole.begin(), whole.end(), [](auto* one) { return one->all; });
    if (!by_element || all) {
      const bool singular = !field->is_repeated() && field->message_type() != nullptr;
      AddUncitedAt(whole, singular ? &reflection->GetMessage(message, field) : nullptr, text, out);
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      const Message& element = reflection->GetRepeatedMessage(message, field, i);
      const Step step{field, Step::Select::kElement, query::ElementKey(element)};
      Union of_element;
      for (const Named::Field* one : here) {
        const auto found = one->elements.find(step.key);
        if (found != one->elements.end()) of_element.push_back(&found->second);
        if (one->every.has_value()) of_element.push_back(&*one->every);
      }
      AddUncitedAt(of_element, field->is_map() ? nullptr : &element,
                   absl::StrCat(prefix, prefix.empty() ? "" : ".", query::FormatPath({step})), out);
    }
  }
}

}  // namespace

absl::StatusOr<Evidence::FieldEvidence> FieldEvidenceOf(const Dossier& dossier, const Path& path,
                                                        FindSource find) {
  Evidence::FieldEvidence out;
  out.set_path(query::FormatPath(path));
  const std::optional<std::string> own = query::ValueAt(dossier.record(), path);
  out.set_value(own.value_or(""));
  const std::vector<Bearing> bearings = dossier.BearingsOn(path);
  if (absl::Status s = AddWitnesses(bearings, find, &out); !s.ok()) return s;
  AddAlternatives(bearings, &out);
  const bool disputed = std::any_of(bearings.begin(), bearings.end(), [](const Bearing& bearing) {
    return bearing.effect == Effect::kContradicts && bearing.claim->live;
  });
  if (!disputed) {
    Shorten(&out);
    return out;
  }
  for (Evidence::ValuePolicy policy : kPolicies) {
    auto decided = Decide(policy, own, bearings, find);
    if (!decided.ok()) return decided.status();
    Evidence::Decision* decision = out.add_decisions();
    decision->set_policy(policy);
    decision->set_value(decided->value.value_or(""));
    for (const Claim* claim : decided->claims) {
      decision->add_citation_ids(claim->citation->id());
    }
    decision->set_reason(decided->reason);
  }
  Shorten(&out);
  return out;
}

absl::StatusOr<Evidence::FieldEvidence> WholeEvidenceOf(const Dossier& dossier, FindSource find) {
  Evidence::FieldEvidence out;
  absl::Status status = AddWitnesses(dossier.BearingsOnWhole(), find, &out);
  if (!status.ok()) return status;
  Shorten(&out);
  return out;
}

absl::StatusOr<Evidence> EvidenceOf(const Dossier& dossier, const std::vector<Path>& fields,
                                    FindSource find, size_t max_bytes) {
  Evidence evidence;
  size_t bytes = 0;
  auto add = [&](absl::StatusOr<Evidence::FieldEvidence> field) -> absl::Status {
    if (!field.ok()) return field.status();
    bytes += field->ByteSizeLong();
    if (bytes > max_bytes) {
      return InvalidFields({{"fields", absl::StrCat("the evidence takes more than ", max_bytes,
                                                    " bytes; ask for fewer fields")}},
                           v1::LIMIT_EXCEEDED);
    }
    *evidence.add_fields() = *std::move(field);
    return absl::OkStatus();
  };
  if (fields.empty() && !dossier.whole().empty()) {
    if (absl::Status s = add(WholeEvidenceOf(dossier, find)); !s.ok()) return s;
  }
  // Those asked for and those cited below them, each once.
  std::map<OrderKey, const Path*> paths;
  for (const Path& path : fields) paths.emplace(OrderOf(dossier.record(), path), &path);
  for (const CitedPath& cited : dossier.cited()) {
    if (fields.empty() || std::any_of(fields.begin(), fields.end(), [&](const Path& path) {
          return query::Covers(path, cited.path);
        })) {
      paths.emplace(OrderOf(dossier.record(), cited.path), &cited.path);
    }
  }
  for (const auto& [key, path] : paths) {
    if (absl::Status s = add(FieldEvidenceOf(dossier, *path, find)); !s.ok()) return s;
  }
  bytes = 0;
  for (std::string& path : UncitedFields(dossier)) {
    bytes += path.size() + 4;
    if (bytes > kMaxUncitedBytes) break;
    evidence.add_uncited_fields(std::move(path));
  }
  return evidence;
}

std::vector<std::string> UncitedFields(const Dossier& dossier) {
  std::vector<std::string> uncited;
  if (!dossier.whole().empty()) return uncited;
  Named named;
  for (const CitedPath& cited : dossier.cited()) Name(cited.path, &named);
  AddUncited({&named}, dossier.record(), "", &uncited);
  return uncited;
}

}  // namespace detente::evidence
