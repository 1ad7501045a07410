#include "query/highlight.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "query/texts.h"
#include "values/words.h"

namespace detente::query {
namespace {

using store::SearchNode;
using store::SearchTerm;

constexpr int kLeadCharacters = 50;  // before the first match

void AppendTerms(const SearchNode& node, std::vector<const SearchTerm*>* terms) {
  if (node.kind == SearchNode::Kind::kTerm) terms->push_back(&node.term);
  const size_t size = node.kind == SearchNode::Kind::kExcept ? 1 : node.children.size();
  for (size_t i = 0; i < size; ++i) AppendTerms(node.children[i], terms);
}

// How many words the term takes that stands at this one; 0 = it does not.
size_t StandsAt(const SearchTerm& term, absl::string_view text,
                const std::vector<values::Word>& words, size_t at, bool name) {
  const size_t size = term.words.size();
  bool stands = at + size <= words.size();
  for (size_t i = 0; i < size && stands; ++i) {
    const std::string& word = words[at + i].folded;
    stands = term.prefix && i + 1 == size ? absl::StartsWith(word, term.words[i])
                                          : word == term.words[i];
  }
  if (stands) return size;
  if (!name || term.sound.empty()) return 0;
  const auto sounds = values::SoundsAt(text, words, at);
  const auto found = std::find(sounds.begin(), sounds.end(), term.sound);
  return found == sounds.end() ? 0 : static_cast<size_t>(found - sounds.begin()) + 1;
}

bool IsContinuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

// `characters` before `from`, and on to the begin of a word.
size_t BeginOf(absl::string_view text, const std::vector<values::Word>& words, size_t from) {
  size_t begin = from;
  for (int i = 0; i < kLeadCharacters && begin > 0; ++i) {
    do --begin;
    while (begin > 0 && IsContinuation(text[begin]));
  }
  if (begin == 0) return 0;
  for (const values::Word& word : words) {
    if (word.begin >= begin) return std::min(word.begin, from);
  }
  return from;
}

// kSnippetCharacters behind `begin`, and back to the end of a word; at least up to `least`.
size_t EndOf(absl::string_view text, const std::vector<values::Word>& words, size_t begin,
             size_t least) {
  size_t end = begin;
  for (int i = 0; i < kSnippetCharacters && end < text.size(); ++i) {
    do ++end;
    while (end < text.size() && IsContinuation(text[end]));
  }
  if (end == text.size()) return end;
  size_t last = least;
  for (const values::Word& word : words) {
    if (word.end <= end) last = std::max(last, word.end);
  }
  return last;
}

// Parts of the text between `begin` and `end`; matches are ranges of bytes, in order, apart.
std::vector<Highlight::Part> PartsOf(absl::string_view text,
                                     const std::vector<std::pair<size_t, size_t>>& matches,
                                     size_t begin, size_t end) {
  std::vector<Highlight::Part> parts;
  auto add = [&](size_t from, size_t to, bool matched) {
    if (from < to) parts.push_back({std::string(text.substr(from, to - from)), matched});
  };
  size_t at = begin;
  for (const auto& [from, to] : matches) {
    if (to > end) break;
    add(at, from, false);
    add(from, to, true);
    at = to;
  }
  add(at, end, false);
  return parts;
}

std::vector<std::pair<size_t, size_t>> MatchesOf(const std::vector<const SearchTerm*>& terms,
                                                 absl::string_view text,
                                                 const std::vector<values::Word>& words,
                                                 bool name) {
  std::vector<std::pair<size_t, size_t>> matches;
  for (size_t at = 0; at < words.size(); ++at) {
    size_t size = 0;
    for (const SearchTerm* term : terms) {
      size = std::max(size, StandsAt(*term, text, words, at, name));
    }
    if (size == 0) continue;
    const size_t to = words[at + size - 1].end;
    if (!matches.empty() && words[at].begin < matches.back().second) {
      matches.back().second = std::max(matches.back().second, to);
    } else {
      matches.emplace_back(words[at].begin, to);
    }
  }
  return matches;
}

}  // namespace

std::vector<Highlight> HighlightsOf(const google::protobuf::Message& record,
                                    const SearchNode& root) {
  std::vector<const SearchTerm*> terms;
  AppendTerms(root, &terms);
  std::vector<Highlight> highlights;
  std::set<std::string, std::less<>> seen;
  size_t bytes = 0;
  VisitTexts(record, [&](absl::string_view text, const TextPlace& place, bool name) {
    if (highlights.size() == kMaxHighlights) return;
    const std::vector<values::Word> words = values::WordsOf(text);
    const auto matches = MatchesOf(terms, text, words, name);
    if (matches.empty() || !seen.insert(std::string(text)).second) return;
    const size_t begin = BeginOf(text, words, matches[0].first);
    const size_t end = EndOf(text, words, begin, matches[0].second);
    Highlight highlight{place.Path(), PartsOf(text, matches, begin, end)};
    const size_t size = highlight.path.size() + end - begin;
    if (bytes + size > kMaxHighlightBytes) return;
    bytes += size;
    highlights.push_back(std::move(highlight));
  });
  return highlights;
}

}  // namespace detente::query
