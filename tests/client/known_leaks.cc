// Debian's c-ares 1.18 loses a copy of "localhost" at every look-up of it. The address sanitizer
// asks here.
extern "C" const char* __lsan_default_suppressions();   // NOLINT(bugprone-reserved-identifier)
extern "C" const char* __lsan_default_suppressions() {  // NOLINT(bugprone-reserved-identifier)
  return "leak:ares_strdup\n";
}
