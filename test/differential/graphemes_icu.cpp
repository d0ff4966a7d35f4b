// The peer of graphemes.py: ICU's character break iterator. A JSON array of code points a line in, the borders out.
#include <unicode/brkiter.h>
#include <unicode/unistr.h>

#include <iostream>
#include <memory>
#include <sstream>
#include <string>

int main() {
  UErrorCode status = U_ZERO_ERROR;
  std::unique_ptr<icu::BreakIterator> characters(
      icu::BreakIterator::createCharacterInstance(icu::Locale::getEnglish(), status));
  if (U_FAILURE(status) != 0) return 1;
  for (std::string line; std::getline(std::cin, line);) {
    for (char &c : line)
      if (c == '[' || c == ']' || c == ',') c = ' ';
    std::istringstream numbers(line);
    icu::UnicodeString text;
    for (UChar32 code = 0; numbers >> code;) text.append(code);
    characters->setText(text);
    std::cout << "[0";
    for (std::int32_t at = characters->first(); (at = characters->next()) != icu::BreakIterator::DONE;)
      std::cout << ", " << text.countChar32(0, at);
    std::cout << "]\n";
  }
  return 0;
}
