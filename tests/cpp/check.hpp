// Checks for the C++ tests. A test program calls them from main and ends with `return check::result();`
//
//     CHECK(condition);                        CHECK_EQUAL(found, expected);
//     CHECK_THROWS(expression, Error, "part of the message");
//
// A check that fails says where and what, and the program goes on: one run shows all that is wrong.
#pragma once

#include <iostream>
#include <string>
#include <string_view>

namespace check {

inline int n_failed = 0;

inline std::ostream& failure(const char* file, int line) {
    ++n_failed;
    return std::cerr << file << ":" << line << ": ";
}

// 0 if every check held.
inline int result() {
    if (n_failed > 0) std::cerr << n_failed << " checks failed\n";
    return n_failed > 0;
}

template <class Found, class Expected>
void equal(const Found& found, const Expected& expected, const char* text, const char* file, int line) {
    if (!(found == expected)) failure(file, line) << text << " is " << found << ", expected " << expected << "\n";
}

}  // namespace check

#define CHECK(condition)                                                                  \
    do {                                                                                  \
        if (!(condition)) check::failure(__FILE__, __LINE__) << #condition " is false\n"; \
    } while (false)

#define CHECK_EQUAL(found, expected) check::equal(found, expected, #found, __FILE__, __LINE__)

#define CHECK_THROWS(expression, Type, part)                                                                  \
    do {                                                                                                      \
        try {                                                                                                 \
            expression;                                                                                       \
            check::failure(__FILE__, __LINE__) << #expression " did not throw\n";                             \
        } catch (const Type& error) {                                                                         \
            if (std::string_view(error.what()).find(part) == std::string_view::npos) {                        \
                check::failure(__FILE__, __LINE__) << error.what() << "\n    does not say: " << part << "\n"; \
            }                                                                                                 \
        }                                                                                                     \
    } while (false)
