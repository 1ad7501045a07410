#include <utility>

#include "absl/strings/str_cat.h"
#include "query/filter.h"
#include "query/filter_habits.h"
#include "query/filter_syntax.h"

namespace detente::query {
namespace {

using Kind = Token::Kind;

class Parser {
 public:
  Parser(const std::vector<Token>& tokens, int depth, Fault* fault)
      : tokens_(tokens), depth_(depth), fault_(fault) {}

  bool Run(Syntax* root) {
    if (!Expression(root)) return false;
    return Peek().kind == Kind::kEnd || Fail("AND, OR or the end expected");
  }

 private:
  const Token& Peek() const { return tokens_[at_]; }
  bool Take(Kind kind) {
    if (Peek().kind != kind) return false;
    ++at_;
    return true;
  }

  bool Fail(absl::string_view expected) {
    const Token& token = Peek();
    *fault_ = {token.word.begin, absl::StrCat(expected, ", got ", Got(token))};
    return false;
  }

  static std::string Got(const Token& token) {
    switch (token.kind) {
      case Kind::kWord:
      case Kind::kAnd:
      case Kind::kOr:
      case Kind::kNot:
        return Shown(token.word.value);
      case Kind::kMinus:
        return "`-`";
      case Kind::kDot:
        return "`.`";
      case Kind::kComma:
        return "`,`";
      case Kind::kOpen:
        return "`(`";
      case Kind::kClose:
        return "`)`";
      case Kind::kCompare:
        return absl::StrCat("`", ToText(token.comparator), "`");
      case Kind::kEnd:
        return "the end";
    }
    return "";
  }

  bool Deeper() {
    if (++depth_ <= kMaxFilterDepth) return true;
    *fault_ = {Peek().word.begin,
               absl::StrCat("nested more than ", kMaxFilterDepth, " levels deep"), true};
    return false;
  }

  // One child stands for itself.
  static void Join(Syntax::Kind kind, std::vector<Syntax> children, Syntax* out) {
    if (children.size() == 1) {
      Syntax only = std::move(children[0]);
      *out = std::move(only);
      return;
    }
    out->kind = kind;
    out->position = children[0].position;
    out->children = std::move(children);
  }

  bool Expression(Syntax* out) {
    std::vector<Syntax> sequences;
    do {
      if (!Sequence(&sequences.emplace_back())) return false;
    } while (Take(Kind::kAnd));
    Join(Syntax::Kind::kAnd, std::move(sequences), out);
    return true;
  }

  bool Sequence(Syntax* out) {
    std::vector<Syntax> factors;
    do {
      if (!factors.empty() && !Peek().spaced) {
        std::string hint = HintOfField(tokens_[at_ - 1].word.value, nullptr);
        if (hint.empty()) return Fail("a space, AND or OR expected");
        *fault_ = {Peek().word.begin, std::move(hint)};
        return false;
      }
      if (!Factor(&factors.emplace_back())) return false;
    } while (Peek().kind == Kind::kWord || Peek().kind == Kind::kNot ||
             Peek().kind == Kind::kMinus || Peek().kind == Kind::kOpen);
    Join(Syntax::Kind::kSequence, std::move(factors), out);
    return true;
  }

  bool Factor(Syntax* out) {
    std::vector<Syntax> terms;
    do {
      if (!Term(&terms.emplace_back())) return false;
    } while (Take(Kind::kOr));
    Join(Syntax::Kind::kOr, std::move(terms), out);
    return true;
  }

  bool Term(Syntax* out) {
    const Token& first = Peek();
    if (first.kind != Kind::kNot && first.kind != Kind::kMinus) return Simple(out);
    if (IsFunctionName()) return Simple(out);
    ++at_;
    out->kind = Syntax::Kind::kNot;
    out->minus = first.kind == Kind::kMinus;
    out->position = first.word.begin;
    return Simple(&out->children.emplace_back());
  }

  bool Simple(Syntax* out) {
    return Peek().kind == Kind::kOpen ? Composite(out) : Restriction(out);
  }

  bool Composite(Syntax* out) {
    if (!Deeper()) return false;
    ++at_;
    if (!Expression(out)) return false;
    if (!Take(Kind::kClose)) return Fail("AND, OR or `)` expected");
    --depth_;
    return true;
  }

  bool Restriction(Syntax* out) {
    if (!Comparable("a field, a word or a condition expected", out)) return false;
    const Token& comparator = Peek();
    if (comparator.kind != Kind::kCompare) return true;
    ++at_;
    if (Peek().kind == Kind::kCompare && !Peek().spaced) {
      std::string hint = HintOfComparators(comparator.comparator, Peek().comparator);
      if (!hint.empty()) {
        *fault_ = {comparator.word.begin, std::move(hint)};
        return false;
      }
    }
    Syntax left = std::move(*out);
    *out = Syntax();
    out->kind = Syntax::Kind::kCompare;
    out->position = left.position;
    out->comparator = comparator.comparator;
    out->comparator_position = comparator.word.begin;
    out->children.push_back(std::move(left));
    return Argument(absl::StrCat("a value expected after `", ToText(comparator.comparator), "`"),
                    &out->children.emplace_back());
  }

  bool Argument(absl::string_view expected, Syntax* out) {
    if (Peek().kind == Kind::kOpen) return Composite(out);
    const Token& first = Peek();
    if (first.kind == Kind::kMinus && !tokens_[at_ + 1].spaced) {
      ++at_;
      if (!Comparable(expected, out)) return false;
      Word& word = out->words[0];
      word.value.insert(0, "-");
      word.pattern.insert(0, "-");
      word.places.insert(word.places.begin(), first.word.begin);
      word.begin = out->position = first.word.begin;
      return true;
    }
    return Comparable(expected, out);
  }

  // Functions may have the names of keywords. NOT(a) denies.
  bool IsFunctionName() const {
    const Kind kind = Peek().kind;
    if (kind != Kind::kAnd && kind != Kind::kOr && kind != Kind::kNot) return false;
    const Token& next = tokens_[at_ + 1];
    if (next.spaced) return false;
    if (kind != Kind::kNot) return next.kind == Kind::kOpen || next.kind == Kind::kDot;
    return next.kind == Kind::kDot ||
           (next.kind == Kind::kOpen && tokens_[at_ + 2].kind == Kind::kClose);
  }

  bool Comparable(absl::string_view expected, Syntax* out) {
    const bool keyword = IsFunctionName();
    if (Peek().kind != Kind::kWord && !keyword) return Fail(expected);
    out->kind = Syntax::Kind::kMember;
    out->position = Peek().word.begin;
    bool plain = !Peek().word.quoted;
    out->words.push_back(Peek().word);
    ++at_;
    while (Peek().kind == Kind::kDot && !Peek().spaced) {
      ++at_;
      const Token& field = Peek();
      const bool named = field.kind == Kind::kWord || field.kind == Kind::kAnd ||
                         field.kind == Kind::kOr || field.kind == Kind::kNot;
      if (!named || field.spaced) {
        return Fail("a field's name expected after `.`");
      }
      plain = plain && !field.word.quoted;
      out->words.push_back(field.word);
      ++at_;
    }
    if (Peek().kind != Kind::kOpen || Peek().spaced || !plain) {
      return !keyword || Fail("`(` expected behind a function's name");
    }
    if (!Deeper()) return false;
    ++at_;
    out->kind = Syntax::Kind::kFunction;
    if (Peek().kind != Kind::kClose) {
      do {
        if (!Argument("an argument expected", &out->children.emplace_back())) return false;
      } while (Take(Kind::kComma));
    }
    if (Peek().kind == Kind::kCompare) {
      return Fail("`,` or `)` expected: a condition as an argument stands in parentheses");
    }
    if (!Take(Kind::kClose)) return Fail("`,` or `)` expected");
    --depth_;
    return true;
  }

  const std::vector<Token>& tokens_;
  int depth_;
  Fault* const fault_;
  size_t at_ = 0;
};

void Print(const Syntax& node, int level, std::string* out) {
  out->append(static_cast<size_t>(level) * 2, ' ');
  switch (node.kind) {
    case Syntax::Kind::kAnd:
      absl::StrAppend(out, "AND");
      break;
    case Syntax::Kind::kSequence:
      absl::StrAppend(out, "SEQUENCE");
      break;
    case Syntax::Kind::kOr:
      absl::StrAppend(out, "OR");
      break;
    case Syntax::Kind::kNot:
      absl::StrAppend(out, "NOT");
      break;
    case Syntax::Kind::kCompare:
      absl::StrAppend(out, ToText(node.comparator));
      break;
    case Syntax::Kind::kMember:
    case Syntax::Kind::kFunction:
      for (size_t i = 0; i < node.words.size(); ++i) {
        const Word& word = node.words[i];
        absl::StrAppend(out, i == 0 ? "" : ".",
                        word.quoted ? QuotePattern(word.pattern) : word.value);
      }
      if (node.kind == Syntax::Kind::kFunction) absl::StrAppend(out, "()");
      break;
  }
  out->push_back('\n');
  for (const Syntax& child : node.children) Print(child, level + 1, out);
}

}  // namespace

std::string QuotePattern(absl::string_view pattern) {
  std::string out = "\"";
  for (const char c : pattern) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"') {
      absl::StrAppend(&out, "\\\"");
    } else if (byte < 0x20 || byte == 0x7f) {
      absl::StrAppend(&out, "\\x", absl::Hex(byte, absl::kZeroPad2));
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
  return out;
}

bool ParseSyntax(const FilterSource& source, int depth, std::vector<Syntax>* root, Fault* fault) {
  if (source.text.size() > kMaxFilterBytes) {
    *fault = {source.PlaceOf(0),
              absl::StrCat("at most ", kMaxFilterBytes, " bytes, got ", source.text.size()), true};
    return false;
  }
  std::vector<Token> tokens;
  if (!Lex(source, &tokens, fault)) return false;
  if (tokens.size() == 1) return true;
  return Parser(tokens, depth, fault).Run(&root->emplace_back());
}

absl::StatusOr<std::string> SyntaxTree(absl::string_view text, size_t* error_position) {
  std::vector<Syntax> root;
  Fault fault;
  if (!ParseSyntax({text}, 0, &root, &fault)) {
    if (error_position != nullptr) *error_position = fault.position;
    return InvalidFilter({fault}, "filter");
  }
  std::string tree;
  if (!root.empty()) Print(root[0], 0, &tree);
  return tree;
}

}  // namespace detente::query
