// What one date of an EDTF text can mean, for the rest of the implementation.
#pragma once

#include <cstdint>
#include <optional>

#include "values/edtf.h"

namespace detente::values {

// The months of what is written as month 21..41, as in EdtfPart::months.
uint16_t MonthsOfPart(int code);

// The last day of the longest month that the part can be, of its years and months.
int LastDay(const EdtfPart& part);

// The nearest year that the part can be.
std::optional<int64_t> YearAtOrAfter(const EdtfPart& part, int64_t year);
std::optional<int64_t> YearAtOrBefore(const EdtfPart& part, int64_t year);

bool PartAdmits(const EdtfPart& part, CivilDate day);

// One reading of a part: the whole unit that its digits name, once they are all chosen. Its core is
// what every definition of a season shares, and otherwise all of it.
struct Reading {
  CivilDate first;
  CivilDate last;
  CivilDate core_first;
  CivilDate core_last;
};

// The first, and the last, of the readings that hold `day`, which the part must admit.
Reading FirstReadingWith(const EdtfPart& part, CivilDate day);
Reading LastReadingWith(const EdtfPart& part, CivilDate day);

inline Reading FirstReading(const EdtfPart& part) {
  return FirstReadingWith(part, EarliestOf(part));
}
inline Reading LastReading(const EdtfPart& part) { return LastReadingWith(part, LatestOf(part)); }

// Fills in what follows from the form and the parts: bounds, precision, qualifiers.
void Summarize(EdtfDate* date);

}  // namespace detente::values
