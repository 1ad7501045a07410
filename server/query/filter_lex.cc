#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "error/error.h"
#include "query/filter.h"
#include "query/filter_syntax.h"
#include "values/utf8.h"

namespace detente::query {
namespace {

using values::CharacterSize;
using values::SpaceSize;

constexpr size_t kMaxShown = 64;
constexpr absl::string_view kDelimiters = "().,:=<>!\"'";

bool IsControl(char c) {
  return (static_cast<uint8_t>(c) < 0x20 && (c < '\t' || c > '\r')) ||
         static_cast<uint8_t>(c) == 0x7f;
}

std::string Utf8(uint32_t code) {
  std::string out;
  if (code < 0x80) {
    out.push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out.push_back(static_cast<char>(0xc0 | code >> 6));
    out.push_back(static_cast<char>(0x80 | (code & 0x3f)));
  } else if (code < 0x10000) {
    out.push_back(static_cast<char>(0xe0 | code >> 12));
    out.push_back(static_cast<char>(0x80 | (code >> 6 & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (code & 0x3f)));
  } else {
    out.push_back(static_cast<char>(0xf0 | code >> 18));
    out.push_back(static_cast<char>(0x80 | (code >> 12 & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (code >> 6 & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (code & 0x3f)));
  }
  return out;
}

class Lexer {
 public:
  Lexer(const FilterSource& source, std::vector<Token>* tokens, Fault* fault)
      : source_(source), text_(source.text), tokens_(tokens), fault_(fault) {}

  bool Run() {
    if (!CheckCharacters(source_, fault_)) return false;
    bool spaced = true;
    while (at_ < text_.size()) {
      if (const size_t size = SpaceSize(text_.substr(at_)); size > 0) {
        spaced = true;
        at_ += size;
        continue;
      }
      Token token;
      token.spaced = spaced;
      token.word.begin = source_.PlaceOf(at_);
      if (!Next(&token)) return false;
      token.word.end = source_.PlaceOf(at_ - 1) + 1;
      tokens_->push_back(std::move(token));
      spaced = false;
    }
    Token end;
    end.spaced = spaced;
    end.word.begin = end.word.end = source_.PlaceOf(text_.size());
    tokens_->push_back(std::move(end));
    return true;
  }

 private:
  bool Fail(size_t at, absl::string_view what) {
    *fault_ = {source_.PlaceOf(at), std::string(what)};
    return false;
  }

  bool Next(Token* token) {
    using Kind = Token::Kind;
    const char c = text_[at_];
    const char next = at_ + 1 < text_.size() ? text_[at_ + 1] : 0;
    auto take = [&](Kind kind, size_t size = 1) {
      token->kind = kind;
      at_ += size;
      return true;
    };
    auto compare = [&](Comparator comparator, size_t size) {
      token->comparator = comparator;
      return take(Kind::kCompare, size);
    };
    switch (c) {
      case '(':
        return take(Kind::kOpen);
      case ')':
        return take(Kind::kClose);
      case ',':
        return take(Kind::kComma);
      case '.':
        return take(Kind::kDot);
      case '-':
        return take(Kind::kMinus);
      case ':':
        return compare(Comparator::kHas, 1);
      case '=':
        return compare(Comparator::kEqual, 1);
      case '<':
        return next == '=' ? compare(Comparator::kLessOrEqual, 2) : compare(Comparator::kLess, 1);
      case '>':
        return next == '=' ? compare(Comparator::kGreaterOrEqual, 2)
                           : compare(Comparator::kGreater, 1);
      case '!':
        if (next == '=') return compare(Comparator::kNotEqual, 2);
        return Fail(at_, "`!=` expected; a condition is denied with NOT or `-`");
      case '"':
      case '\'':
        return Quoted(token);
      default:
        Plain(token);
        return true;
    }
  }

  void Add(Word* word, absl::string_view bytes, size_t at) {
    for (const char c : bytes) {
      word->value.push_back(c);
      word->places.push_back(source_.PlaceOf(at));
      if (c == '*' || c == '\\') word->pattern.push_back('\\');
      word->pattern.push_back(c);
    }
  }
  void AddWildcard(Word* word, size_t at) {
    word->value.push_back('*');
    word->places.push_back(source_.PlaceOf(at));
    word->pattern.push_back('*');
  }

  void Plain(Token* token) {
    Word* word = &token->word;
    const size_t start = at_;
    if (const size_t size = TimeSize(text_.substr(at_)); size > 0) {
      Add(word, text_.substr(at_, size), at_);
      for (size_t i = 0; i < size; ++i) word->places[i] = source_.PlaceOf(start + i);
      at_ += size;
    }
    while (at_ < text_.size() && SpaceSize(text_.substr(at_)) == 0 &&
           kDelimiters.find(text_[at_]) == absl::string_view::npos) {
      const char next = at_ + 1 < text_.size() ? text_[at_ + 1] : 0;
      if (text_[at_] == '*') {
        AddWildcard(word, at_);
      } else if (text_[at_] == '\\' && (next == '*' || next == '\\')) {
        Add(word, text_.substr(at_ + 1, 1), at_);
        ++at_;
      } else {
        Add(word, text_.substr(at_, 1), at_);
      }
      ++at_;
    }
    token->kind = word->value == "AND"   ? Token::Kind::kAnd
                  : word->value == "OR"  ? Token::Kind::kOr
                  : word->value == "NOT" ? Token::Kind::kNot
                                         : Token::Kind::kWord;
  }

  bool Quoted(Token* token) {
    Word* word = &token->word;
    token->kind = Token::Kind::kWord;
    word->quoted = true;
    const size_t start = at_;
    const char quote = text_[at_++];
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] == '\\') {
        if (!Escape(word)) return false;
      } else if (text_[at_] == '*') {
        AddWildcard(word, at_++);
      } else {
        Add(word, text_.substr(at_, 1), at_);
        ++at_;
      }
    }
    if (at_ == text_.size()) return Fail(start, "this quote has no end");
    ++at_;
    return true;
  }

  bool Escape(Word* word) {
    const size_t start = at_++;
    if (at_ == text_.size()) return Fail(start, "a character expected after `\\`");
    const char c = text_[at_++];
    constexpr absl::string_view kNames = "abfnrtv\\'\"?*";
    constexpr absl::string_view kMeant = "\a\b\f\n\r\t\v\\'\"?*";
    if (const size_t i = kNames.find(c); i != absl::string_view::npos) {
      Add(word, kMeant.substr(i, 1), start);
      return true;
    }
    std::optional<uint32_t> code;
    if (c >= '0' && c <= '3') {
      --at_;
      code = Digits(3, 8);
    } else if (c == 'x' || c == 'X') {
      code = Digits(2, 16);
    } else if (c == 'u') {
      code = Digits(4, 16);
    } else if (c == 'U') {
      code = Digits(8, 16);
    } else {
      return Fail(start, "an unknown escape; a backslash is written `\\\\`");
    }
    if (!code || *code == 0 || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff)) {
      return Fail(start, "this escape is no character");
    }
    Add(word, Utf8(*code), start);
    return true;
  }

  std::optional<uint32_t> Digits(int count, uint32_t base) {
    uint64_t code = 0;
    for (int i = 0; i < count; ++i, ++at_) {
      if (at_ == text_.size() || !absl::ascii_isxdigit(text_[at_])) return std::nullopt;
      const char c = absl::ascii_tolower(text_[at_]);
      const auto digit = static_cast<uint32_t>(c <= '9' ? c - '0' : c - 'a' + 10);
      if (digit >= base) return std::nullopt;
      code = code * base + digit;
    }
    return code > UINT32_MAX ? std::nullopt : std::optional<uint32_t>(code);
  }

  const FilterSource& source_;
  const absl::string_view text_;
  std::vector<Token>* const tokens_;
  Fault* const fault_;
  size_t at_ = 0;
};

}  // namespace

bool CheckCharacters(const FilterSource& source, Fault* fault) {
  const absl::string_view text = source.text;
  for (size_t i = 0; i < text.size();) {
    const size_t size = CharacterSize(text.substr(i));
    if (size == 0) {
      *fault = {source.PlaceOf(i), "UTF-8 expected"};
      return false;
    }
    if (IsControl(text[i])) {
      *fault = {source.PlaceOf(i),
                "a control character; in quotes, write it as an escape: \\u0007"};
      return false;
    }
    i += size;
  }
  return true;
}

size_t TimeSize(absl::string_view text) {
  constexpr absl::string_view kShape = "dddd-dd-ddTdd:dd:dd";
  auto fits = [&](size_t at, absl::string_view shape) {
    if (text.size() < at + shape.size()) return false;
    for (size_t i = 0; i < shape.size(); ++i) {
      const char c = text[at + i];
      if (shape[i] == 'd' ? !absl::ascii_isdigit(c) : absl::ascii_toupper(c) != shape[i]) {
        return false;
      }
    }
    return true;
  };
  if (!fits(0, kShape)) return 0;
  size_t at = kShape.size();
  if (fits(at, ".d")) {
    ++at;
    while (at < text.size() && absl::ascii_isdigit(text[at])) ++at;
  }
  if (fits(at, "Z")) return at + 1;
  return fits(at, "+dd:dd") || fits(at, "-dd:dd") ? at + 6 : 0;
}

absl::string_view ToText(Comparator comparator) {
  switch (comparator) {
    case Comparator::kEqual:
      return "=";
    case Comparator::kNotEqual:
      return "!=";
    case Comparator::kLess:
      return "<";
    case Comparator::kLessOrEqual:
      return "<=";
    case Comparator::kGreater:
      return ">";
    case Comparator::kGreaterOrEqual:
      return ">=";
    case Comparator::kHas:
      return ":";
  }
  return "";
}

bool Lex(const FilterSource& source, std::vector<Token>* tokens, Fault* fault) {
  return Lexer(source, tokens, fault).Run();
}

std::string Shown(absl::string_view text) {
  if (text.size() <= kMaxShown) return absl::StrCat("`", text, "`");
  size_t end = kMaxShown;
  while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xc0) == 0x80) --end;
  return absl::StrCat("`", text.substr(0, end), "…`");
}

absl::Status InvalidFilter(const std::vector<Fault>& faults, absl::string_view field) {
  std::vector<Violation> violations;
  violations.reserve(faults.size());
  for (const Fault& fault : faults) {
    violations.push_back(
        {std::string(field), absl::StrCat("at byte ", fault.position, ": ", fault.what)});
  }
  const bool limit =
      std::all_of(faults.begin(), faults.end(), [](const Fault& f) { return f.limit; });
  return InvalidFields(violations, limit ? v1::LIMIT_EXCEEDED : v1::INVALID_FIELD);
}

}  // namespace detente::query
