// What becomes of rows that are there already, for people.
#pragma once

#include <string>

#include "connector/connector.hpp"

namespace semel::cli {

/// Empty: nothing that people must know before.
inline std::string in_words(WrittenAgain again) {
  switch (again) {
    case WrittenAgain::same:
      return "";
    case WrittenAgain::older:
      return "without a version, an older record takes the place of the row of its key, and stays "
             "there until the last record of that key is read again";
    case WrittenAgain::refused:
      return "each record whose key is in the table already will be a bad record (write = "
             "\"append\" and a unique key)";
    case WrittenAgain::doubled:
      return "no key keeps rows that are there already from being there twice";
  }
  return "";
}

}  // namespace semel::cli
