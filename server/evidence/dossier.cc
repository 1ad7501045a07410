#include "evidence/dossier.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/validate.h"
#include "query/elements.h"

namespace detente::evidence {
namespace {

using google::protobuf::Message;
using query::Path;
using query::Step;
using v1::Citation;
using Effect = Bearing::Effect;

// How narrowly a path names what it covers; the whole record is 0.
int Narrowness(const Path* path) {
  if (path == nullptr) return 0;
  int narrowness = static_cast<int>(path->size()) * 1'000;
  for (const Step& step : *path) {
    narrowness += step.select == Step::Select::kElement ? 2 : step.select == Step::Select::kEvery;
  }
  return narrowness;
}

// Whether the effect by `by` is of the field itself, not of one around it.
bool IsOwn(const Bearing& bearing, const Path& path) {
  return bearing.by != nullptr && query::Covers(path, *bearing.by);
}

}  // namespace

OrderKey OrderOf(const Message& record, const Path& path) {
  OrderKey key;
  const Message* message = &record;  // null: below an element that is not there
  for (size_t i = 0; i < path.size(); ++i) {
    const Step& step = path[i];
    int place = -2;
    std::string name;
    if (step.select == Step::Select::kEvery) {
      place = -1;
      message = nullptr;
    } else if (step.select == Step::Select::kElement) {
      const int found =
          message == nullptr ? -1 : query::FindElement(*message, step.field, step.key);
      // Entries of a map have no order but their keys'.
      place = step.field->is_map() ? 0 : found < 0 ? std::numeric_limits<int>::max() : found;
      if (found < 0 || step.field->is_map()) name = step.key;
      message = found < 0
                    ? nullptr
                    : &message->GetReflection()->GetRepeatedMessage(*message, step.field, found);
    } else if (message != nullptr && i + 1 < path.size()) {
      message = &message->GetReflection()->GetMessage(*message, step.field);
    }
    key.emplace_back(step.field->number(), place, std::move(name));
  }
  return key;
}

Dossier::Dossier(const engine::Resource& resource, const Message& record)
    : resource_(resource), record_(record) {
  const auto* field = resource.type->FindFieldByNumber(engine::kCitations);
  const auto* reflection = record.GetReflection();
  const int size = reflection->FieldSize(record, field);
  claims_.reserve(size);  // pointers into it are kept
  for (int i = 0; i < size; ++i) {
    Claim& claim = claims_.emplace_back();
    claim.citation =
        &static_cast<const Citation&>(reflection->GetRepeatedMessage(record, field, i));
    claim.index = i;
    claim.live = claim.citation->rank() != Citation::DEPRECATED;
    claim.whole = claim.citation->fields().empty();
    if (claim.whole) whole_.push_back(&claim);
    for (const std::string& text : claim.citation->fields()) {
      // What can't be read here was written by a newer contract.
      auto path = query::ParsePath(text, resource.type);
      if (path.ok()) claim.paths.push_back(*std::move(path));
    }
    if (claim.citation->asserted_value().empty() || claim.paths.size() != 1) continue;
    auto value = engine::ReadAsserted(resource, claim.paths[0], claim.citation->asserted_value());
    if (!value.ok()) continue;
    claim.asserts = true;
    claim.value = *std::move(value);
  }
  for (const Claim& claim : claims_) {
    for (const Path& path : claim.paths) {
      std::string text = query::FormatPath(path);
      const auto [at, fresh] = by_text_.emplace(text, cited_.size());
      if (fresh) cited_.push_back({path, std::move(text), {}});
      std::vector<const Claim*>& claims = cited_[at->second].claims;
      if (claims.empty() || claims.back() != &claim) claims.push_back(&claim);
    }
  }
  std::vector<std::pair<OrderKey, CitedPath>> order;
  order.reserve(cited_.size());
  for (CitedPath& cited : cited_) order.emplace_back(OrderOf(record, cited.path), std::move(cited));
  std::sort(order.begin(), order.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t i = 0; i < order.size(); ++i) {
    cited_[i] = std::move(order[i].second);
    by_text_[cited_[i].text] = i;
  }
}

void Dossier::Offer(const std::string& text, const Path& path,
                    absl::flat_hash_map<int, const Path*>* by) const {
  const auto found = by_text_.find(text);
  if (found == by_text_.end()) return;
  const CitedPath& cited = cited_[found->second];
  if (!query::Covers(cited.path, path)) return;
  for (const Claim* claim : cited.claims) {
    const Path*& slot = (*by)[claim->index];
    if (Narrowness(&cited.path) > Narrowness(slot)) slot = &cited.path;
  }
}

// Looks up the ways to name the field or one around it, rather than all that is cited: a record may
// cite thousands of paths.
void Dossier::OfferAround(const Path& path, size_t at, const std::string& prefix,
                          absl::flat_hash_map<int, const Path*>* by) const {
  const Step& step = path[at];
  const std::string list = absl::StrCat(prefix, prefix.empty() ? "" : ".", step.field->name());
  auto go = [&](const std::string& text) {
    Offer(text, path, by);
    if (at + 1 < path.size()) OfferAround(path, at + 1, text, by);
  };
  if (step.select == Step::Select::kWhole) return go(list);
  Offer(list, path, by);
  go(absl::StrCat(list, "[*]"));
  if (step.select == Step::Select::kElement) {
    go(absl::StrCat(prefix, prefix.empty() ? "" : ".", query::FormatPath({step})));
  }
}

std::optional<Bearing> Dossier::Weigh(const Claim& claim, const Path* by, const Path& path,
                                      const std::optional<std::string>& own) const {
  Bearing bearing{&claim, by, Effect::kSupports, own};
  if (claim.citation->stance() == Citation::MENTIONS) {
    bearing.effect = Effect::kMentions;
    return bearing;
  }
  if (claim.asserts && by != nullptr) {
    bearing.value = std::nullopt;
    if (claim.value != nullptr) {
      const Path below(path.begin() + static_cast<ptrdiff_t>(by->size()) - 1, path.end());
      bearing.value = query::ValueAt(*claim.value, below);
      const bool around = by->size() < path.size() || by->back().select != path.back().select;
      if (!bearing.value.has_value() && around) return std::nullopt;
    }
    if (bearing.value != own) bearing.effect = Effect::kContradicts;
    return bearing;
  }
  if (claim.citation->stance() == Citation::CONTRADICTS) {
    bearing.effect = Effect::kContradicts;
    bearing.value = std::nullopt;
  }
  return bearing;
}

std::vector<Bearing> Dossier::BearingsOn(const Path& path) const {
  absl::flat_hash_map<int, const Path*> by;
  for (const Claim* claim : whole_) by[claim->index] = nullptr;
  OfferAround(path, 0, "", &by);
  std::vector<int> order;
  order.reserve(by.size());
  for (const auto& [index, narrowest] : by) order.push_back(index);
  std::sort(order.begin(), order.end());

  const std::optional<std::string> own = query::ValueAt(record_, path);
  std::vector<Bearing> bearings;
  absl::flat_hash_map<absl::string_view, int> contradicts;  // source -> its path's narrowness
  for (int index : order) {
    std::optional<Bearing> bearing = Weigh(claims_[index], by[index], path, own);
    if (!bearing.has_value()) continue;
    if (bearing->effect == Effect::kContradicts && bearing->claim->live) {
      int& narrowest = contradicts[bearing->claim->citation->source()];
      narrowest = std::max(narrowest, Narrowness(bearing->by));
    }
    bearings.push_back(*std::move(bearing));
  }
  bearings.erase(
      std::remove_if(bearings.begin(), bearings.end(),
                     [&](const Bearing& bearing) {
                       const auto found = contradicts.find(bearing.claim->citation->source());
                       return bearing.effect == Effect::kSupports && found != contradicts.end() &&
                              Narrowness(bearing.by) < found->second;
                     }),
      bearings.end());
  return bearings;
}

std::vector<Bearing> Dossier::BearingsOnWhole() const {
  std::vector<Bearing> bearings;
  for (const Claim* claim : whole_) {
    Effect effect = Effect::kSupports;
    if (claim->citation->stance() == Citation::MENTIONS) effect = Effect::kMentions;
    if (claim->citation->stance() == Citation::CONTRADICTS) effect = Effect::kContradicts;
    bearings.push_back({claim, nullptr, effect, std::nullopt});
  }
  return bearings;
}

bool Dossier::IsDisputed(const CitedPath& cited) const {
  // Most fields are not: told without a look at values.
  const bool may_be = std::any_of(cited.claims.begin(), cited.claims.end(), [](const Claim* claim) {
    return claim->live && (claim->asserts || claim->citation->stance() == Citation::CONTRADICTS);
  });
  if (!may_be) return false;
  const std::vector<Bearing> bearings = BearingsOn(cited.path);
  return std::any_of(bearings.begin(), bearings.end(), [&](const Bearing& bearing) {
    return bearing.effect == Effect::kContradicts && bearing.claim->live &&
           IsOwn(bearing, cited.path);
  });
}

bool Dossier::IsWholeDisputed() const {
  return std::any_of(whole_.begin(), whole_.end(), [](const Claim* claim) {
    return claim->live && claim->citation->stance() == Citation::CONTRADICTS;
  });
}

}  // namespace detente::evidence
