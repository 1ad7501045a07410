#include "store/sqlite/scoring.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace detente::store {
namespace {

constexpr double kSaturation = 1.2;     // BM25's k1
constexpr double kLengthWeight = 0.75;  // its b
enum Kind : size_t { kWords, kSound };

using Rows = std::vector<ScoredRow>;

// What a node makes of two of its children, in order.
Rows Combine(SearchNode::Kind kind, bool loose, const Rows& a, const Rows& b) {
  Rows all;
  all.reserve(kind == SearchNode::Kind::kOr || loose ? a.size() + b.size() : a.size());
  auto left = a.begin(), right = b.begin();
  while (left != a.end() || right != b.end()) {
    const bool in_a = left != a.end() && (right == b.end() || left->row <= right->row);
    const bool in_b = right != b.end() && (left == a.end() || right->row <= left->row);
    ScoredRow row = in_a ? *left : *right;
    const bool first = in_a && left->matches, second = in_b && right->matches;
    row.matches = kind == SearchNode::Kind::kAnd  ? first && second
                  : kind == SearchNode::Kind::kOr ? first || second
                                                  : first && !second;
    if (in_a && in_b) row.score += right->score;
    if (row.matches || (loose && row.score > 0)) all.push_back(row);
    if (in_a) ++left;
    if (in_b) ++right;
  }
  return all;
}

}  // namespace

absl::StatusOr<Rows> Scorer::Find(bool past, const SearchNode& root) {
  if (!past) {
    counted_ = !statistics_->frequencies.empty();
    if (!counted_) {
      if (absl::Status s = CountWords(db_, statistics_); !s.ok()) return s;
    }
  }
  past_ = past;
  phrase_ = 0;
  auto rows = FindNode(root, {});
  if (rows.ok() && phrase_ != statistics_->frequencies.size()) {
    return absl::InternalError("statistics of another search");
  }
  counted_ = true;
  return rows;
}

absl::StatusOr<Rows> Scorer::FindNode(const SearchNode& node, const Part& part) {
  if (node.kind == SearchNode::Kind::kTerm) return FindTerm(node.term, part);
  // What one of the children does not match another one may.
  const bool loose = part.loose || node.kind == SearchNode::Kind::kOr;
  Rows rows;
  for (size_t i = 0; i < node.children.size(); ++i) {
    const bool excluded = node.kind == SearchNode::Kind::kExcept && i > 0;
    auto more = FindNode(node.children[i], {.scored = part.scored && !excluded,
                                            .loose = loose && !excluded,
                                            .among = i > 0 && !loose ? &rows : part.among});
    if (!more.ok()) return more;
    rows = i == 0 ? *std::move(more) : Combine(node.kind, loose, rows, *more);
  }
  if (!part.loose) std::erase_if(rows, [](const ScoredRow& row) { return !row.matches; });
  return rows;
}

absl::StatusOr<Rows> Scorer::FindTerm(const SearchTerm& term, const Part& part) {
  std::vector<Posting> postings;
  double weights[] = {0, 0};
  for (const Kind kind : {kWords, kSound}) {
    if (kind == kSound && term.sound.empty()) continue;
    const std::string phrase =
        kind == kWords
            ? absl::StrCat("{names texts} : ", QuoteWords(absl::StrJoin(term.words, " ")),
                           term.prefix ? " *" : "")
            : absl::StrCat("sounds : ", QuoteWords(term.sound));
    size_t at = 0;  // those before are passed over
    auto wanted = [&](int64_t row) {
      if (!collections_[static_cast<size_t>(row & kMaxCollections)]) return false;
      if (part.among == nullptr) return true;
      while (at < part.among->size() && (*part.among)[at].row < row) ++at;
      return at < part.among->size() && (*part.among)[at].row == row;
    };
    auto found = FindPhrase(db_, past_, phrase, kind, wanted, check_, &postings);
    if (!found.ok()) return found.status();
    if (!part.scored) continue;
    auto weight = NextWeight(*found);
    if (!weight.ok()) return weight.status();
    weights[kind] = *weight;
  }
  Rows rows;
  rows.reserve(postings.size());
  if (!part.scored) {
    for (const Posting& posting : postings) rows.push_back({.row = posting.row, .past = past_});
    return rows;
  }
  const auto documents = static_cast<double>(statistics_->documents);
  const auto words = static_cast<double>(statistics_->words);
  const double shrink = words > 0 ? documents / words : 1;
  auto take = [&](const Posting& posting, int32_t size) {
    const double length = 1 - kLengthWeight + kLengthWeight * size * shrink;
    ScoredRow& row = rows.emplace_back(ScoredRow{.row = posting.row, .size = size, .past = past_});
    for (const Kind kind : {kWords, kSound}) {
      const int places = posting.places[kind];
      if (places == 0) continue;
      row.score += weights[kind] * places * (kSaturation + 1) / (places + kSaturation * length);
    }
  };
  if (part.among == nullptr) {
    absl::Status status = ReadSizes(db_, past_, postings, check_, take);
    if (!status.ok()) return status;
    return rows;
  }
  auto known = part.among->begin();
  for (const Posting& posting : postings) {
    while (known->row < posting.row) ++known;
    take(posting, known->size);
  }
  return rows;
}

absl::StatusOr<double> Scorer::NextWeight(int64_t found) {
  std::vector<int64_t>& frequencies = statistics_->frequencies;
  if (!counted_) frequencies.push_back(found);
  if (phrase_ == frequencies.size()) return absl::InternalError("statistics of another search");
  const auto documents = static_cast<double>(statistics_->documents);
  const auto having = static_cast<double>(frequencies[phrase_++]);
  return std::log1p((documents - having + 0.5) / (having + 0.5));
}

}  // namespace detente::store
