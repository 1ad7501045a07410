#include "query/search.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "error/error.h"
#include "values/utf8.h"
#include "values/words.h"

namespace detente::query {
namespace {

using store::SearchNode;
using store::SearchTerm;
using Kind = SearchNode::Kind;

// The records that a part of a query finds: those of `node`, or all others.
struct Found {
  bool others = false;
  SearchNode node;
};

SearchNode Join(Kind kind, std::vector<SearchNode> nodes) {
  if (nodes.size() == 1) return std::move(nodes[0]);
  SearchNode joined;
  joined.kind = kind;
  joined.children = std::move(nodes);
  return joined;
}

SearchNode Except(SearchNode node, SearchNode excluded) {
  std::vector<SearchNode> both;
  both.push_back(std::move(node));
  both.push_back(std::move(excluded));
  return Join(Kind::kExcept, std::move(both));
}

// The store finds what has words, never what lacks them: complements go outwards.
Found JoinFound(Kind kind, std::vector<Found> parts) {
  std::vector<SearchNode> plain, others;
  for (Found& part : parts) (part.others ? others : plain).push_back(std::move(part.node));
  if (kind == Kind::kAnd) {
    if (others.empty()) return {false, Join(Kind::kAnd, std::move(plain))};
    if (plain.empty()) return {true, Join(Kind::kOr, std::move(others))};
    return {false, Except(Join(Kind::kAnd, std::move(plain)), Join(Kind::kOr, std::move(others)))};
  }
  if (others.empty()) return {false, Join(Kind::kOr, std::move(plain))};
  if (plain.empty()) return {true, Join(Kind::kAnd, std::move(others))};
  return {true, Except(Join(Kind::kAnd, std::move(others)), Join(Kind::kOr, std::move(plain)))};
}

class Parser {
 public:
  Parser(absl::string_view text, absl::string_view field) : text_(text), field_(field) {}

  absl::StatusOr<SearchNode> Parse() {
    if (text_.size() > kMaxSearchBytes) {
      return InvalidFields({{std::string(field_), absl::StrCat("at most ", kMaxSearchBytes,
                                                               " bytes, got ", text_.size())}},
                           v1::LIMIT_EXCEEDED);
    }
    std::vector<Found> parts;
    if (!Conjunction(0, &parts)) return status_;
    if (at_ < text_.size()) return Wrong(at_, "`)` closes nothing"), status_;
    if (parts.empty()) {
      return InvalidField(
          field_, text_.empty() ? "required" : "a word to look for expected: letters or digits");
    }
    Found all = JoinFound(Kind::kAnd, std::move(parts));
    if (all.others) {
      return InvalidField(field_,
                          "a word to look for expected, beside those that NOT or `-` excludes");
    }
    return std::move(all.node);
  }

 private:
  bool Wrong(size_t at, absl::string_view what) {
    status_ = InvalidField(field_, absl::StrCat("at byte ", at + 1, ": ", what));
    return false;
  }
  bool TooMany(absl::string_view what) {
    status_ = InvalidFields({{std::string(field_), std::string(what)}}, v1::LIMIT_EXCEEDED);
    return false;
  }

  bool AtEnd() {
    while (const size_t size = values::SpaceSize(text_.substr(at_))) at_ += size;
    return at_ == text_.size() || text_[at_] == ')';
  }
  // The text up to a space, a parenthesis or a quote.
  absl::string_view Run() const {
    size_t end = at_;
    while (end < text_.size() && values::SpaceSize(text_.substr(end)) == 0 &&
           absl::string_view("()\"").find(text_[end]) == absl::string_view::npos) {
      ++end;
    }
    return text_.substr(at_, end - at_);
  }
  bool IsWord(absl::string_view keyword) const { return Run() == keyword; }

  // None of the parts where it has no words.
  bool Conjunction(int depth, std::vector<Found>* parts) {
    bool joined = false;  // behind an AND
    size_t joint = 0;
    while (!AtEnd()) {
      if (IsWord("AND")) {
        if (joined || parts->empty()) return Wrong(at_, "AND needs a word on either side");
        joined = true;
        joint = at_;
        at_ += 3;
        continue;
      }
      if (IsWord("OR")) return Wrong(at_, "OR needs a word on either side");
      if (!Disjunction(depth, parts)) return false;
      joined = false;
    }
    return !joined || Wrong(joint, "AND needs a word on either side");
  }

  bool Disjunction(int depth, std::vector<Found>* parts) {
    constexpr absl::string_view kLonely = "OR needs a word on either side";
    std::vector<Found> alternatives;
    size_t joint = at_;
    for (bool behind_or = false;; behind_or = true) {
      const size_t before = alternatives.size();
      if (!Factor(depth, &alternatives)) return false;
      const bool empty = alternatives.size() == before;
      if (empty && behind_or) return Wrong(joint, kLonely);
      if (AtEnd() || !IsWord("OR")) break;
      joint = at_;
      if (empty) return Wrong(joint, kLonely);
      at_ += 2;
      if (AtEnd() || IsWord("AND") || IsWord("OR")) return Wrong(joint, kLonely);
    }
    if (!alternatives.empty()) parts->push_back(JoinFound(Kind::kOr, std::move(alternatives)));
    return true;
  }

  bool Factor(int depth, std::vector<Found>* parts) {
    if (depth > kMaxSearchDepth) {
      return TooMany(absl::StrCat("parentheses and NOTs at most ", kMaxSearchDepth, " deep"));
    }
    const size_t start = at_;
    if (IsWord("NOT") || text_[at_] == '-') {
      const bool word = text_[at_] != '-';
      at_ += word ? 3 : 1;
      const size_t behind = at_;
      if (AtEnd() || (!word && at_ != behind)) {
        // A dash among words says nothing.
        return !word || Wrong(start, "NOT needs a word behind it");
      }
      if (IsWord("AND") || IsWord("OR")) return Wrong(start, "NOT needs a word behind it");
      const size_t before = parts->size();
      if (!Factor(depth + 1, parts)) return false;
      if (parts->size() > before) parts->back().others = !parts->back().others;
      return true;
    }
    if (text_[at_] == '(') {
      ++at_;
      std::vector<Found> inner;
      if (!Conjunction(depth + 1, &inner)) return false;
      if (at_ == text_.size()) return Wrong(start, "`(` is not closed");
      ++at_;
      if (!inner.empty()) parts->push_back(JoinFound(Kind::kAnd, std::move(inner)));
      return true;
    }
    return Term(parts);
  }

  bool Term(std::vector<Found>* parts) {
    const size_t start = at_;
    absl::string_view words;
    bool prefix = false;
    if (text_[at_] == '"') {
      const size_t end = text_.find('"', at_ + 1);
      if (end == absl::string_view::npos) return Wrong(start, "`\"` is not closed");
      words = text_.substr(at_ + 1, end - at_ - 1);
      at_ = end + 1;
      if (at_ < text_.size() && text_[at_] == '*') {
        prefix = true;
        ++at_;
      }
    } else {
      words = Run();
      at_ += words.size();
      if (!words.empty() && words.back() == '*') {
        prefix = true;
        words.remove_suffix(1);
      }
    }
    if (const size_t star = words.find('*'); star != absl::string_view::npos) {
      return Wrong(static_cast<size_t>(words.data() - text_.data()) + star,
                   "`*` stands behind the beginning of a word, nowhere else");
    }
    SearchTerm term;
    const auto found = values::WordsOf(words);
    for (const values::Word& word : found) term.words.push_back(word.folded);
    if (term.words.empty()) {
      return !prefix || Wrong(start, "`*` needs the beginning of a word before it");
    }
    words_ += static_cast<int>(term.words.size());
    if (words_ > kMaxSearchWords)
      return TooMany(absl::StrCat("at most ", kMaxSearchWords, " words"));
    term.prefix = prefix;
    if (!prefix && found.size() == 1) term.sound = SoundOf(words, found[0]);
    const auto names = values::JoinedNames(words, found);
    SearchNode node = {Kind::kTerm, std::move(term), {}};
    if (!prefix && text_[start] != '"' && names.size() < found.size()) {
      std::vector<SearchNode> alternatives = {std::move(node), AllOf(words, names)};
      node = Join(Kind::kOr, std::move(alternatives));
    }
    parts->push_back({false, std::move(node)});
    return true;
  }

  // Names are spelt in many ways, but Pinyin in one: by sound 测试 would be `those`.
  static std::string SoundOf(absl::string_view text, const values::Word& word) {
    return values::IsHan(text, word) ? "" : values::SoundOf(word.folded);
  }

  // Words that stand anywhere, and sound so. They are not counted: nobody has written them.
  static SearchNode AllOf(absl::string_view text, const std::vector<values::Word>& words) {
    std::vector<SearchNode> all;
    all.reserve(words.size());
    for (const values::Word& word : words) {
      all.push_back({Kind::kTerm, {{word.folded}, false, SoundOf(text, word)}, {}});
    }
    return Join(Kind::kAnd, std::move(all));
  }

  const absl::string_view text_;
  const absl::string_view field_;
  size_t at_ = 0;
  int words_ = 0;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<SearchNode> ParseSearch(absl::string_view text, absl::string_view field) {
  return Parser(text, field).Parse();
}

}  // namespace detente::query
