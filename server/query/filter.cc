// A filter's text, as it was understood.
#include "query/filter.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "query/filter_node.h"

namespace detente::query {
namespace {

using Node = Filter::Node;

std::string Quote(absl::string_view value) {
  std::string pattern;
  for (const char c : value) {
    if (c == '*' || c == '\\') pattern.push_back('\\');
    pattern.push_back(c);
  }
  return QuotePattern(pattern);
}

bool IsPlain(absl::string_view key) {
  if (key.empty() || key == "AND" || key == "OR" || key == "NOT") return false;
  for (const char c : key) {
    if (!absl::ascii_isalnum(c) && c != '_') return false;
  }
  return true;
}

std::string PathText(const FilterPath& path) {
  std::string text;
  for (const FieldStep& step : path) {
    absl::StrAppend(&text, text.empty() ? "" : ".", step.field->name());
    if (step.key) absl::StrAppend(&text, ".", IsPlain(*step.key) ? *step.key : Quote(*step.key));
  }
  return text;
}

std::string Joined(const Node& node, absl::string_view between) {
  std::string text = "(";
  for (const Node& child : node.children) {
    absl::StrAppend(&text, text.size() > 1 ? between : "", ToText(child));
  }
  text.push_back(')');
  return text;
}

}  // namespace

std::string ToText(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kAnd:
      return Joined(node, " AND ");
    case Node::Kind::kOr:
      return Joined(node, " OR ");
    case Node::Kind::kNot: {
      // A denial of a denial needs parentheses.
      const std::string denied = ToText(node.children[0]);
      return node.children[0].kind == Node::Kind::kNot ? absl::StrCat("NOT (", denied, ")")
                                                       : absl::StrCat("NOT ", denied);
    }
    case Node::Kind::kPresent:
      return absl::StrCat(PathText(node.path), ":*");
    case Node::Kind::kCompare: {
      const bool has = node.comparator == Comparator::kHas;
      return absl::StrCat(PathText(node.path), has ? "" : " ", ToText(node.comparator),
                          has ? "" : " ", node.literal.written);
    }
    case Node::Kind::kPossibly:
      return absl::StrCat("possibly(", PathText(node.path), ", ", node.literal.written, ")");
    case Node::Kind::kCertainly:
      return absl::StrCat("certainly(", PathText(node.path), ", ", node.literal.written, ")");
    case Node::Kind::kAny: {
      std::string child = ToText(node.children[0]);
      if (child[0] != '(') child = absl::StrCat("(", child, ")");
      return absl::StrCat("any(", PathText(node.path), ", ", child, ")");
    }
    case Node::Kind::kNamed:
      return Quote(node.text);
    case Node::Kind::kSounds:
      return absl::StrCat("matches_name(", Quote(node.text), ")");
    case Node::Kind::kCites:
      return absl::StrCat("cites(", Quote(node.text), ")");
    case Node::Kind::kRefersTo:
      return absl::StrCat("refers_to(", Quote(node.text), ")");
  }
  return "";
}

std::string Filter::Text() const {
  if (root_ == nullptr) return "";
  const std::string text = ToText(*root_);
  // The outermost ones say nothing.
  return text[0] == '(' ? text.substr(1, text.size() - 2) : text;
}

}  // namespace detente::query
