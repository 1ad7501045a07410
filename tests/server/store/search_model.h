// What a search finds and how it is scored, by a plain look at all versions.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "store/search.h"
#include "store/store.h"

namespace detente::store {

using Kind = SearchNode::Kind;
using Words = std::vector<std::string>;

struct ModelRow {
  std::string collection, id;
  Revision since = 0, until = INT64_MAX;
  bool live = true;
  Derived derived;
};

inline Words Split(const std::string& text) {
  if (text.empty()) return {};
  return absl::StrSplit(text, ' ');
}

inline std::string Text(const SearchNode& node) {
  if (node.kind == Kind::kTerm) {
    return absl::StrCat("\"", absl::StrJoin(node.term.words, " "), "\"",
                        node.term.prefix ? "*" : "", "/", node.term.sound);
  }
  constexpr const char* kNames[] = {"", "AND", "OR", "EXCEPT"};
  std::string text = absl::StrCat("(", kNames[static_cast<int>(node.kind)]);
  for (const SearchNode& child : node.children) absl::StrAppend(&text, " ", Text(child));
  return text + ")";
}

// The meaning.
class Model {
 public:
  std::vector<ModelRow> rows;

  ModelRow* Head(const std::string& collection, const std::string& id) {
    for (ModelRow& row : rows) {
      if (row.collection == collection && row.id == id && row.until == INT64_MAX) return &row;
    }
    return nullptr;
  }

  SearchStatistics Statistics(const SearchNode& root) const {
    SearchStatistics statistics;
    std::vector<std::pair<const SearchTerm*, bool>> phrases;  // sounds?
    Scored(root, &phrases);
    statistics.frequencies.resize(phrases.size());
    for (const ModelRow& row : rows) {
      if (row.until != INT64_MAX || Size(row) == 0) continue;
      ++statistics.documents;
      statistics.words += Size(row);
      for (size_t i = 0; i < phrases.size(); ++i) {
        statistics.frequencies[i] += Places(row, *phrases[i].first, phrases[i].second) > 0;
      }
    }
    return statistics;
  }

  std::map<std::string, double> Search(const SearchQuery& query,
                                       const SearchStatistics& statistics) const {
    std::map<std::string, double> hits;
    for (const ModelRow& row : rows) {
      if (row.since > query.view.revision || row.until <= query.view.revision || !row.live)
        continue;
      if (!query.collections.empty() &&
          std::count(query.collections.begin(), query.collections.end(), row.collection) == 0) {
        continue;
      }
      size_t phrase = 0;
      double score = 0;
      if (!Matches(row, query.root, true, statistics, &phrase, &score)) continue;
      hits.emplace(absl::StrCat(row.collection, "/", row.id), score);
    }
    return hits;
  }

 private:
  static void Scored(const SearchNode& node,
                     std::vector<std::pair<const SearchTerm*, bool>>* phrases) {
    if (node.kind == Kind::kTerm) {
      phrases->emplace_back(&node.term, false);
      if (!node.term.sound.empty()) phrases->emplace_back(&node.term, true);
    }
    for (size_t i = 0; i < node.children.size(); ++i) {
      if (node.kind != Kind::kExcept || i == 0) Scored(node.children[i], phrases);
    }
  }
  static int64_t Size(const ModelRow& row) {
    return static_cast<int64_t>(Split(row.derived.names).size() + Split(row.derived.sounds).size() +
                                Split(row.derived.texts).size());
  }
  static int Count(const Words& text, const Words& phrase, bool prefix) {
    int count = 0;
    for (size_t at = 0; at + phrase.size() <= text.size(); ++at) {
      bool here = true;
      for (size_t i = 0; i < phrase.size(); ++i) {
        here = here && (prefix && i + 1 == phrase.size() ? absl::StartsWith(text[at + i], phrase[i])
                                                         : text[at + i] == phrase[i]);
      }
      count += here ? 1 : 0;
    }
    return count;
  }
  static double Places(const ModelRow& row, const SearchTerm& term, bool sounds) {
    if (sounds) return 5.0 * Count(Split(row.derived.sounds), {term.sound}, false);
    return 10.0 * Count(Split(row.derived.names), term.words, term.prefix) +
           Count(Split(row.derived.texts), term.words, term.prefix);
  }
  // Adds the score of all terms but those that are excluded.
  static bool Matches(const ModelRow& row, const SearchNode& node, bool scored,
                      const SearchStatistics& statistics, size_t* phrase, double* score) {
    if (node.kind == Kind::kTerm) {
      bool matches = false;
      for (const bool sounds : {false, true}) {
        if (sounds && node.term.sound.empty()) continue;
        const double places = Places(row, node.term, sounds);
        matches = matches || places > 0;
        if (!scored) continue;
        const auto documents = static_cast<double>(statistics.documents);
        const auto frequency = static_cast<double>(statistics.frequencies[(*phrase)++]);
        const double average =
            statistics.words == 0 ? 1 : static_cast<double>(statistics.words) / documents;
        *score += std::log(1 + (documents - frequency + 0.5) / (frequency + 0.5)) * places * 2.2 /
                  (places + 1.2 * (0.25 + 0.75 * static_cast<double>(Size(row)) / average));
      }
      return matches;
    }
    bool all = true, any = false;
    for (size_t i = 0; i < node.children.size(); ++i) {
      const bool excluded = node.kind == Kind::kExcept && i > 0;
      const bool matches =
          Matches(row, node.children[i], scored && !excluded, statistics, phrase, score);
      all = all && matches != excluded;
      any = any || matches;
    }
    return node.kind == Kind::kOr ? any : all;
  }
};

}  // namespace detente::store
