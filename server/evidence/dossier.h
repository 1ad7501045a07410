// A record's citations, taken apart: which bear on a field, and what they say of it.
//
// What bears on a field P:
// - a citation that names P, a field around it, P by `[*]`, or (without paths) the whole record; by
//   the narrowest of its paths that does;
// - one with an asserted value speaks by that alone, whatever its stance: it supports the field
//   where it has the record's own value, and contradicts it otherwise. Asserted of a field around P
//   it says what that value has at P, and nothing of P where it has nothing there; `null` denies
//   all that is below;
// - one without asserted value speaks by its stance. CONTRADICTS without a value offers no other:
//   it speaks for the field being absent;
// - MENTIONS says nothing for or against;
// - of one source, the narrower path speaks: a citation that supports P by a wider path than one by
//   which the same source contradicts P does not bear on P.
#pragma once

#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "detente/v1/values.pb.h"
#include "engine/registry.h"
#include "google/protobuf/message.h"
#include "query/path.h"
#include "query/value.h"

namespace detente::evidence {

// A citation, taken apart.
struct Claim {
  const v1::Citation* citation;
  int index = 0;                   // in the record's list
  std::vector<query::Path> paths;  // those that can be read; none = see `whole`
  bool whole = false;              // about the record as a whole
  bool live = true;                // not deprecated
  bool asserts = false;            // `value` is what the source has at paths[0], null = nothing
  query::Value value;
};

// What a claim says of one field.
struct Bearing {
  enum class Effect { kSupports, kContradicts, kMentions };
  const Claim* claim;
  const query::Path* by;  // null = the whole record
  Effect effect;
  std::optional<std::string> value;  // what it says is there, canonical JSON; nothing = absent. Of
                                     // kMentions without meaning.
};

// A path that citations name.
struct CitedPath {
  query::Path path;
  std::string text;
  std::vector<const Claim*> claims;
};

// Sorts paths as the record's fields and elements stand: a field around another comes first, then
// by number; `[*]` before elements, those that the record lacks last.
using OrderKey = std::vector<std::tuple<int, int, std::string>>;
OrderKey OrderOf(const google::protobuf::Message& record, const query::Path& path);

class Dossier {
 public:
  // `record` must outlive it.
  Dossier(const engine::Resource& resource, const google::protobuf::Message& record);
  Dossier(const Dossier&) = delete;

  const engine::Resource& resource() const { return resource_; }
  const google::protobuf::Message& record() const { return record_; }
  const std::vector<Claim>& claims() const { return claims_; }
  // Each once, in the order of the record's fields and elements; those around others first.
  const std::vector<CitedPath>& cited() const { return cited_; }
  // Of the record as a whole.
  const std::vector<const Claim*>& whole() const { return whole_; }

  // In the order of the citations.
  std::vector<Bearing> BearingsOn(const query::Path& path) const;
  // Of the record as a whole: those that cite it so.
  std::vector<Bearing> BearingsOnWhole() const;
  // Whether a source contradicts just this, by its own path; deprecated citations do not count.
  bool IsDisputed(const CitedPath& cited) const;
  bool IsWholeDisputed() const;

 private:
  void Offer(const std::string& text, const query::Path& path,
             absl::flat_hash_map<int, const query::Path*>* by) const;
  void OfferAround(const query::Path& path, size_t at, const std::string& prefix,
                   absl::flat_hash_map<int, const query::Path*>* by) const;
  std::optional<Bearing> Weigh(const Claim& claim, const query::Path* by, const query::Path& path,
                               const std::optional<std::string>& own) const;

  const engine::Resource& resource_;
  const google::protobuf::Message& record_;
  std::vector<Claim> claims_;
  std::vector<CitedPath> cited_;
  std::vector<const Claim*> whole_;
  absl::flat_hash_map<std::string, size_t> by_text_;  // into cited_
};

}  // namespace detente::evidence
