#include "query/filter_habits.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "detente/v1/values.pb.h"
#include "query/date_part.h"

namespace detente::query {
namespace {

struct Habit {
  absl::string_view written;
  absl::string_view expected;
};

constexpr Habit kComparators[] = {
    {"==", "="}, {"<>", "!="}, {"=<", "<="}, {"=>", ">="}, {"!==", "!="}, {"::", ":"},
};

// Only as languages of queries write them: in names and titles they are words.
constexpr Habit kWords[] = {
    {"&", "`AND`"},
    {"&&", "`AND`"},
    {"|", "`OR`"},
    {"||", "`OR`"},
    {"IN", "`field = (a OR b)`"},
    {"LIKE", "`field = \"beginning*\"`"},
    {"CONTAINS", "`field = \"*part*\"`, or `list:value`,"},
    {"BETWEEN", "`field >= a AND field <= b`"},
    {"IS", "`field = value`, or `NOT field:*` of what is absent,"},
    {"~", "`field = \"*part*\"`"},
};

constexpr absl::string_view kTypographicQuotes[] = {"“", "”", "„", "«", "»", "‘", "’", "‚"};

}  // namespace

std::string HintOfComparators(Comparator first, Comparator second) {
  const std::string both = absl::StrCat(ToText(first), ToText(second));
  for (const Habit& habit : kComparators) {
    if (both == habit.written)
      return absl::StrCat("`", habit.expected, "` expected, got `", both, "`");
  }
  return "";
}

std::string HintOfWord(const Word& word, const google::protobuf::Descriptor* type) {
  if (word.quoted) return "";
  const std::string quote = absl::StrCat("; put the word ", Shown(word.value), " in quotes");
  const std::string upper = absl::AsciiStrToUpper(word.value);
  if (upper == "AND" || upper == "OR" || upper == "NOT") {
    return absl::StrCat("`", upper, "` expected", quote);
  }
  for (const Habit& habit : kWords) {
    if (word.value == habit.written) {
      return absl::StrCat(habit.expected, " expected, got ", Shown(word.value));
    }
  }
  // Such a name is nobody's; others, as `note` and `title`, are words too.
  if (absl::StrContains(word.value, '_') && type->FindFieldByName(word.value) != nullptr) {
    return absl::StrCat("compare ", Shown(word.value), " with something, or ask for it with `:*`",
                        quote);
  }
  return "";
}

std::string HintOfValue(const Operand& operand, absl::string_view path) {
  if (operand.quoted) return "";
  for (const absl::string_view quote : kTypographicQuotes) {
    if (absl::StartsWith(operand.value, quote)) {
      return absl::StrCat("plain quotes expected, \" or ', got `", quote, "`");
    }
  }
  if (absl::EqualsIgnoreCase(operand.value, "null")) {
    return absl::StrCat("a value expected, got ", Shown(operand.value), ": `NOT ", path,
                        ":*` finds what has none; a text is put in quotes");
  }
  if (operand.value == "~") {
    return "a value expected, got `~`: there are no regular expressions; `*` in quotes stands for "
           "any characters";
  }
  return "";
}

std::string HintOfField(absl::string_view name, const google::protobuf::Descriptor* type) {
  if (absl::StrContains(name, '[')) {
    return "an element has no name or number in a filter: any(participants, (id = \"an-id\" AND "
           "…)) "
           "is about one";
  }
  if (type == v1::UncertainDate::descriptor() && ParseDatePart(name).has_value()) {
    return "compare the date itself with a part of time, as in effective_date = \"2025-12\"";
  }
  return "";
}

std::string HintOfMessage(const google::protobuf::Descriptor* type, absl::string_view path) {
  if (type == v1::Estimate::descriptor() || type == v1::Amount::descriptor()) {
    const std::string base = absl::StrCat(path, type == v1::Amount::descriptor() ? ".value" : "");
    return absl::StrCat(" has bounds: compare ", base, ".low, ", base, ".best or ", base, ".high");
  }
  std::string fields;
  for (int i = 0; i < type->field_count(); ++i) {
    absl::StrAppend(&fields, fields.empty() ? "" : ", ", type->field(i)->name());
  }
  return absl::StrCat(" is a ", type->name(),
                      ": `:*` asks whether it is there; compare one of its fields: ", fields);
}

}  // namespace detente::query
